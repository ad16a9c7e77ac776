export { pruneMapToMaxSize } from './internal/dedupe.js';
