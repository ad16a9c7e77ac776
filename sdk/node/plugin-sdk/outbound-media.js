export { createHostedOutboundMediaStore } from './internal/media/hosted.js';
export { loadOutboundMediaFromUrl } from './internal/media/payload.js';
