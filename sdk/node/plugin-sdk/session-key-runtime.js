export { resolveAgentIdFromSessionKey } from './internal/session-keys.js';
