export { createDirectDmPreCryptoGuardPolicy, createPreCryptoDirectDmAuthorizer } from './internal/direct-dm.js';
