export { resolvePinnedHostnameWithPolicy } from './internal/ssrf.js';
