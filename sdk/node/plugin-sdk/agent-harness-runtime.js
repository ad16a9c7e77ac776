export { formatErrorMessage } from './internal/error-text.js';
export { resolveUserPath } from './internal/paths.js';
