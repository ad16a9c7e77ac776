export { createClaimableDedupe, createPersistentDedupe } from './internal/dedupe.js';
