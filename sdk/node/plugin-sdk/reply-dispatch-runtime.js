export { resolveChunkMode } from './internal/chunk.js';
export { finalizeInboundContext } from './internal/inbound-finalize.js';
