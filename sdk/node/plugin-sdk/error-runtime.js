export { extractErrorCode, formatErrorMessage } from './internal/error-text.js';
