export { formatUtcTimestamp, formatZonedTimestamp, resolveTimezone } from './internal/time.js';
