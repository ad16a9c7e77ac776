export { createDedupeCache } from './internal/dedupe.js';
