export { coerceSecretRef } from './internal/secrets.js';
