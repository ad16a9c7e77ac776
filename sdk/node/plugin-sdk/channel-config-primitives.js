export { buildChannelConfigSchema } from './internal/config-schema.js';
export { AllowFromListSchema, BlockStreamingCoalesceSchema, DmPolicySchema, GroupPolicySchema, MarkdownConfigSchema, buildNestedDmConfigSchema } from './internal/schemas.js';
