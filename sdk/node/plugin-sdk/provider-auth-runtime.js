export { NON_ENV_SECRETREF_MARKER, resolveAwsSdkEnvVarName } from './internal/auth/markers.js';
export { generateOAuthState, generateHexPkceVerifierChallenge, generatePkceVerifierChallenge, parseOAuthCallbackInput, toFormUrlEncoded, waitForLocalOAuthCallback } from './internal/auth/oauth.js';
export { collectProviderApiKeysForExecution, executeWithApiKeyRotation } from './internal/auth/setup.js';
export { resolveEnvApiKey } from './internal/auth/env-names.js';
export { requireApiKey } from './internal/auth/resolve.js';
export { getRuntimeAuthForModel, resolveApiKeyForProvider, resolveProviderAuthProfileApiKey } from './internal/auth/resolve.js';
export { buildOAuthCallbackOriginResolver } from './internal/auth/login-flow.js';
export { resolveProviderAuthProfileMetadata } from './internal/auth/profile-facts.js';
