export { ToolPolicySchema } from './internal/schemas.js';
