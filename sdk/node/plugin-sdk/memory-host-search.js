export { closeActiveMemorySearchManagers, getActiveMemorySearchManager } from './internal/memory-host.js';
export { closeActiveMemorySearchManager } from './internal/memory-host.js';
