export { extractKeywords, isQueryStopWordToken } from './internal/memory/keywords.js';
