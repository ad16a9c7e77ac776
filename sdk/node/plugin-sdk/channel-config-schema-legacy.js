export { buildChannelConfigSchema } from './internal/config-schema.js';
export { AllowFromListSchema, BlockStreamingCoalesceSchema, ContextVisibilityModeSchema, DmPolicySchema, GroupPolicySchema, MarkdownConfigSchema, ToolPolicySchema, buildNestedDmConfigSchema } from './internal/schemas.js';
