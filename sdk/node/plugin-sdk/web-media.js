export { loadWebMedia } from './internal/host.js';
