export { ReplyRuntimeConfigSchemaShape, ToolPolicySchema } from './internal/schemas.js';
