export { formatErrorMessage } from './internal/error-text.js';
export { formatDocsLink } from './internal/setup.js';
