export { closeActiveMemorySearchManagers, getActiveMemorySearchManager } from './internal/memory-host.js';
