export { requireAllowlistAllowFrom, requireOpenAllowFrom } from './internal/channel-schemas.js';
export { buildChannelConfigSchema } from './internal/config-schema.js';
export { AllowFromListSchema, BlockStreamingCoalesceSchema, DmConfigSchema, DmPolicySchema, GroupPolicySchema, MarkdownConfigSchema, ReplyRuntimeConfigSchemaShape, buildCatchallMultiAccountChannelSchema, buildNestedDmConfigSchema } from './internal/schemas.js';
