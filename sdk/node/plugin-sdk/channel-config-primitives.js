export { requireAllowlistAllowFrom, requireOpenAllowFrom } from './internal/channel-schemas.js';
export { buildChannelConfigSchema } from './internal/config-schema.js';
export { AllowFromListSchema, BlockStreamingCoalesceSchema, DmPolicySchema, GroupPolicySchema, MarkdownConfigSchema, buildCatchallMultiAccountChannelSchema, buildNestedDmConfigSchema } from './internal/schemas.js';
