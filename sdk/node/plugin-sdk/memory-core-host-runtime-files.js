export { listMemoryFiles, normalizeExtraMemoryPaths } from './internal/memory/read.js';
export { readAgentMemoryFile } from './internal/memory/settings.js';
export { resolveMemoryBackendConfig } from './internal/memory/backend.js';
