export { createDirectDmPreCryptoGuardPolicy, createPreCryptoDirectDmAuthorizer } from './internal/direct-dm.js';
export { resolveInboundDirectDmAccessWithRuntime } from './internal/sender-access.js';
