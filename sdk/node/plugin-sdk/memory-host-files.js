export * from './memory-core-host-runtime-files.js';
export { readAgentMemoryFile } from './internal/memory/settings.js';
export { resolveMemoryBackendConfig } from './internal/memory/backend.js';
