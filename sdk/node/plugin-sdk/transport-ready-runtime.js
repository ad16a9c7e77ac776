export { waitForTransportReady } from './internal/transport-ready.js';
