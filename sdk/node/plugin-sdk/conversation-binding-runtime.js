export { buildPairingReply } from './internal/pairing.js';
