export { coerceSecretRef, hasConfiguredSecretInput, normalizeSecretInput } from './internal/secrets.js';
