export { resolveStateDir } from './internal/paths.js';
