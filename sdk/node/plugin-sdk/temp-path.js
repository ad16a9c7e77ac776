export { resolvePreferredOpenClawTmpDir } from './internal/paths.js';
