export { createDedupeCache, resolveGlobalDedupeCache } from './internal/dedupe.js';
