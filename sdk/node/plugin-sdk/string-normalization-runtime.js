export { normalizeStringEntries, normalizeStringEntriesLower } from './internal/strings.js';
