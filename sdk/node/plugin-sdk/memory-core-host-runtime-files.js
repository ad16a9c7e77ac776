export { listMemoryFiles, normalizeExtraMemoryPaths } from './internal/memory/read.js';
