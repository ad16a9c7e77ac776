export { resolveOAuthDir, resolveRequiredHomeDir, resolveStateDir, STATE_DIR } from './internal/paths.js';
