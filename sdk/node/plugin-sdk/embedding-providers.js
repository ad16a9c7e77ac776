export { getEmbeddingProvider, listEmbeddingProviders } from './internal/capability-registries.js';
