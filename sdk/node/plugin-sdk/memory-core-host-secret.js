export { hasConfiguredMemorySecretInput, resolveMemorySecretInputString } from './internal/memory/embeddings.js';
