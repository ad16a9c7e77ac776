export { buildApiKeyCredential, formatApiKeyPreview, normalizeApiKeyInput, normalizeOptionalSecretInput, normalizeSecretInputModeInput, validateApiKeyInput } from './internal/auth/keys.js';
export { applyAuthProfileConfig, ensureApiKeyFromEnvOrPrompt, ensureApiKeyFromOptionEnvOrPrompt, promptSecretRefForSetup, resolveSecretInputModeForEnvSelection } from './internal/auth/setup.js';
export { upsertApiKeyProfile, upsertAuthProfile, upsertAuthProfileWithLock } from './internal/auth/store.js';
export { createProviderApiKeyAuthMethod } from './internal/provider-entry.js';
export { normalizeSecretInput } from './internal/secrets.js';
