export { escapeRegExp } from './internal/strings.js';
