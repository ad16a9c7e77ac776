export { normalizeSecretInput } from './internal/secrets.js';
