export { createSubsystemLogger } from './internal/host.js';
export { detectMime } from './internal/mime.js';
export { resolveStateDir, resolveUserPath } from './internal/paths.js';
export { hasConfiguredSecretInput, normalizeResolvedSecretInputString } from './internal/secrets.js';
