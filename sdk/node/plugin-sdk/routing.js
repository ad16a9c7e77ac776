export { DEFAULT_ACCOUNT_ID, normalizeAccountId, normalizeAgentId, normalizeAgentId as sanitizeAgentId, normalizeOptionalAccountId, resolveAccountEntry } from './internal/accounts.js';
export { resolveAgentRoute } from './internal/agent-routes.js';
export { DEFAULT_AGENT_ID, DEFAULT_MAIN_KEY, buildGroupHistoryKey, buildOutboundBaseSessionKey, isAcpSessionKey, isCronSessionKey, isSubagentSessionKey, listBoundAccountIds, normalizeMainKey, normalizeOutboundThreadId, parseThreadSessionSuffix, resolveDefaultAgentBoundAccountId, resolveInboundLastRouteSessionKey, formatSetExplicitDefaultInstruction, formatSetExplicitDefaultToConfiguredInstruction } from './internal/session-routes.js';
export { buildAgentMainSessionKey, buildAgentSessionKey, deriveLastRoutePolicy, parseAgentSessionKey, resolveAgentIdFromSessionKey, resolveThreadSessionKeys } from './internal/session-keys.js';
export { normalizeMessageChannel, resolveGatewayMessageChannel } from './internal/message-channels.js';
