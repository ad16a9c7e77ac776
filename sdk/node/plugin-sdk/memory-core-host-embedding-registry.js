export { listMemoryEmbeddingProviders } from './internal/memory-host.js';
export { DEFAULT_LOCAL_MODEL } from './internal/memory/embeddings.js';
export { listRegisteredMemoryEmbeddingProviderAdapters } from './internal/capability-registries.js';
