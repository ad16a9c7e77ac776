<<<<<<< HEAD
export {};
=======
export { getMemoryEmbeddingProvider, listMemoryEmbeddingProviders, listRegisteredMemoryEmbeddingProviders } from './internal/memory-host.js';
>>>>>>> 68da5a4 (Put the memory slot to use: prompt lines, search tools, corpora, artifacts, and embeddings behind /v1/embeddings)
