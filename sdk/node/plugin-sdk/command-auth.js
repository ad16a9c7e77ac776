export { hasControlCommand, resolveCommandAuthorizedFromAuthorizers } from './internal/commands.js';
export { parseAccessGroupAllowFromEntry } from './internal/ingress-lists.js';
