export { loadSessionStore } from './internal/host.js';
export { resolveStorePath } from './internal/paths.js';
