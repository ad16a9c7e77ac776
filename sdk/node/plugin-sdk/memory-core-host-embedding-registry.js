export { listMemoryEmbeddingProviders } from './internal/memory-host.js';
