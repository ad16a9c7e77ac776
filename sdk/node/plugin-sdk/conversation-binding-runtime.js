export { ensureConfiguredBindingRouteReady, resolveConfiguredBindingRoute, resolveRuntimeConversationBindingRoute } from './internal/binding-routes.js';
export { buildPairingReply } from './internal/pairing.js';
export { getSessionBindingService, isPluginOwnedSessionBindingRecord } from './internal/session-bindings.js';
export { parsePluginBindingApprovalCustomId } from './internal/session-bindings.js';
