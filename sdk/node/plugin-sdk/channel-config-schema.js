export { requireAllowlistAllowFrom, requireOpenAllowFrom } from './internal/channel-schemas.js';
export { buildChannelConfigSchema, buildJsonChannelConfigSchema } from './internal/config-schema.js';
export { AllowFromListSchema, BlockStreamingCoalesceSchema, ContextVisibilityModeSchema, DmConfigSchema, DmPolicySchema, GroupPolicySchema, MarkdownConfigSchema, MentionPatternsPolicySchema, ReplyRuntimeConfigSchemaShape, ToolPolicySchema, buildCatchallMultiAccountChannelSchema, buildNestedDmConfigSchema } from './internal/schemas.js';
