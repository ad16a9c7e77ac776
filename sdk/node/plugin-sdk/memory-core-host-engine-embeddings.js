export { getMemoryEmbeddingProvider, listMemoryEmbeddingProviders, listRegisteredMemoryEmbeddingProviders } from './internal/memory-host.js';
