export { loadOutboundMediaFromUrl } from './internal/host.js';
