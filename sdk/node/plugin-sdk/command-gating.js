export { resolveCommandAuthorizedFromAuthorizers } from './internal/commands.js';
