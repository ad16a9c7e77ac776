export { closeDispatcher, createPinnedDispatcher } from './internal/dispatchers.js';
export { resolvePinnedHostnameWithPolicy } from './internal/ssrf.js';
