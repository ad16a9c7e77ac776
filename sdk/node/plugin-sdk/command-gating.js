export { resolveCommandAuthorizedFromAuthorizers } from './internal/commands.js';
export { resolveControlCommandGate, resolveDualTextControlCommandGate } from './internal/dm-group-access.js';
