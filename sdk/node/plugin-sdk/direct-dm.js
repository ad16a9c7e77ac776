export { createDirectDmPreCryptoGuardPolicy, createPreCryptoDirectDmAuthorizer } from './internal/direct-dm.js';
export { dispatchInboundDirectDmWithRuntime } from './internal/inbound-turn.js';
export { resolveInboundDirectDmAccessWithRuntime } from './internal/sender-access.js';
