// Values that stand where a key would be and are none.
import { listKnownProviderAuthEnvVarNames } from './env-names.js';

export const MINIMAX_OAUTH_MARKER = 'minimax-oauth';
export const OAUTH_API_KEY_MARKER_PREFIX = 'oauth:';
export const OLLAMA_LOCAL_AUTH_MARKER = 'ollama-local';
export const CUSTOM_LOCAL_AUTH_MARKER = 'custom-local';
export const GCP_VERTEX_CREDENTIALS_MARKER = 'gcp-vertex-credentials';
export const NON_ENV_SECRETREF_MARKER = 'secretref-managed';
export const SECRETREF_ENV_HEADER_MARKER_PREFIX = 'secretref-env:';

const AWS = ['AWS_BEARER_TOKEN_BEDROCK', 'AWS_ACCESS_KEY_ID', 'AWS_PROFILE'];
/** Variables that older configurations name. */
const FORMER = ['GOOGLE_API_KEY', 'DEEPSEEK_API_KEY', 'PERPLEXITY_API_KEY', 'FIREWORKS_API_KEY', 'NOVITA_API_KEY', 'AZURE_OPENAI_API_KEY', 'AZURE_API_KEY', 'MINIMAX_CODE_PLAN_KEY'];
const LITERAL = [CUSTOM_LOCAL_AUTH_MARKER, OLLAMA_LOCAL_AUTH_MARKER, NON_ENV_SECRETREF_MARKER, 'lmstudio-local', MINIMAX_OAUTH_MARKER];

/** All fixed values. @returns {string[]} */
export const listKnownNonSecretApiKeyMarkers = () => [...new Set(LITERAL)];
/** Whether a value names the credentials of AWS. @param {string} value @returns {boolean} */
export const isAwsSdkAuthMarker = (value) => AWS.includes(value.trim());
/** Whether a value stands for a sign-in. @param {string} value @returns {boolean} */
export const isOAuthApiKeyMarker = (value) => value.trim().startsWith(OAUTH_API_KEY_MARKER_PREFIX);
/** The value that stands for a provider's sign-in. @param {string} providerId @returns {string} */
export const resolveOAuthApiKeyMarker = (providerId) => OAUTH_API_KEY_MARKER_PREFIX + providerId.trim();
/** Whether a value is the name of a variable with a key. @param {string} value @returns {boolean} */
export const isKnownEnvApiKeyMarker = (value) => !isAwsSdkAuthMarker(value) && [...FORMER, ...listKnownProviderAuthEnvVarNames()].includes(value.trim());
/** Whether a value is no key. @param {string} value @param {{ includeEnvVarName?: boolean }} [opts] @returns {boolean} */
export function isNonSecretApiKeyMarker(value, opts) {
  const text = value.trim();
  if (!text) return false;
  if (isOAuthApiKeyMarker(text) || LITERAL.includes(text) || isAwsSdkAuthMarker(text)) return true;
  return opts?.includeEnvVarName !== false && isKnownEnvApiKeyMarker(text);
}
/** Whether a header's value is a reference. @param {string} value @returns {boolean} */
export const isSecretRefHeaderValueMarker = (value) => value.trim() === NON_ENV_SECRETREF_MARKER || value.trim().startsWith(SECRETREF_ENV_HEADER_MARKER_PREFIX);
/** The value that refers to a variable. @param {string} name @returns {string} */
export const resolveEnvSecretRefHeaderValueMarker = (name) => SECRETREF_ENV_HEADER_MARKER_PREFIX + name.trim();
export const resolveNonEnvSecretRefApiKeyMarker = () => NON_ENV_SECRETREF_MARKER;
export const resolveNonEnvSecretRefHeaderValueMarker = () => NON_ENV_SECRETREF_MARKER;
/** The variable by which AWS signs in. @param {NodeJS.ProcessEnv} [env] @returns {string | undefined} */
export function resolveAwsSdkEnvVarName(env = process.env) {
  const set = (name) => Boolean(env[name]?.trim());
  if (set(AWS[0])) return AWS[0];
  if (set(AWS[1]) && set('AWS_SECRET_ACCESS_KEY')) return AWS[1];
  return set(AWS[2]) ? AWS[2] : undefined;
}
