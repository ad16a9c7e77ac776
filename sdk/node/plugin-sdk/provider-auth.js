export { coerceSecretRef, hasConfiguredSecretInput, normalizeSecretInput } from './internal/secrets.js';
export { createProviderApiKeyAuthMethod } from './internal/provider-entry.js';
