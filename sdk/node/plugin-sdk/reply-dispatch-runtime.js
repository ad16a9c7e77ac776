export { resolveChunkMode } from './internal/chunk.js';
