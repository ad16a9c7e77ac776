export { createPreCryptoDirectDmAuthorizer } from './internal/direct-dm.js';
