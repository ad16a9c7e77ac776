export { resolveRequestUrl } from './internal/fetch-tools.js';
