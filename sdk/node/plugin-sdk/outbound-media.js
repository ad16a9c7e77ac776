export { loadOutboundMediaFromUrl } from './internal/media/payload.js';
