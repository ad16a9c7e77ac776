export { hasControlCommand, resolveCommandAuthorizedFromAuthorizers } from './internal/commands.js';
