export { resolveUserPath } from './internal/paths.js';
export { escapeRegExp } from './internal/strings.js';
