export { createDirectDmPreCryptoGuardPolicy } from './internal/direct-dm.js';
