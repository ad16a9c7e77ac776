export { DEFAULT_ACCOUNT_ID, normalizeAccountId, normalizeAgentId, normalizeOptionalAccountId, resolveAccountEntry } from './internal/accounts.js';
export { resolveAgentRoute } from './internal/host.js';
export { buildAgentMainSessionKey, buildAgentSessionKey, deriveLastRoutePolicy, parseAgentSessionKey, resolveAgentIdFromSessionKey, resolveThreadSessionKeys } from './internal/session-keys.js';
