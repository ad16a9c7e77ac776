// API keys and tokens as people type them, and as they are stored.
import { normalizeSecretInput, coerceSecretRef } from '../secrets.js';
import { normalizeLowercaseStringOrEmpty, normalizeOptionalString, normalizeStringifiedOptionalString } from '../strings.js';
import { resolveProviderEndpoint } from '../provider/endpoints.js';
import { normalizeProviderId } from '../provider/id.js';
import { getProviderEnvVars } from './env-names.js';

/** The key in what was pasted: `export NAME="key";` too. @param {unknown} raw @returns {string} */
export function normalizeApiKeyInput(raw) {
  const text = normalizeStringifiedOptionalString(raw) ?? '';
  const value = /^(?:export\s+)?[A-Za-z_][A-Za-z0-9_]*\s*=\s*(.+)$/.exec(text)?.[1].trim() ?? text;
  const bare = /^(["'`])(.*)\1$/s.exec(value)?.[2] ?? value;
  return bare.replace(/;$/, '').trim();
}
/** What is wrong with a key, if anything. @param {unknown} value @returns {string | undefined} */
export const validateApiKeyInput = (value) => (normalizeApiKeyInput(value) ? undefined : 'Required');

/** The start and the end of a key. @param {string} raw @param {{ head?: number, tail?: number }} [opts] @returns {string} */
export function formatApiKeyPreview(raw, { head = 4, tail = 4 } = {}) {
  const key = raw.trim();
  const [from, to] = key.length > head + tail ? [head, tail] : [Math.min(2, key.length), Math.min(2, Math.max(0, key.length - 2))];
  return `${key.slice(0, from)}…${to > 0 ? key.slice(-to) : ''}`;
}

/** Text without line breaks, or `undefined`. @param {unknown} value @returns {string | undefined} */
export const normalizeOptionalSecretInput = (value) => normalizeSecretInput(value) || undefined;
/** `plaintext` or `ref`. @param {unknown} value @returns {'plaintext' | 'ref' | undefined} */
export const normalizeSecretInputModeInput = (value) => ['plaintext', 'ref'].find((mode) => mode === normalizeLowercaseStringOrEmpty(value));
/** The name in `${NAME}`, or the text. @param {string} value @returns {string} */
export const normalizeApiKeyConfig = (value) => /^\$\{([A-Z0-9_]+)\}$/.exec(value.trim())?.[1] ?? value.trim();

/** The id of a profile. @param {{ providerId: string, profilePrefix?: string, profileName?: string }} params @returns {string} */
export const buildAuthProfileId = ({ providerId, profilePrefix, profileName }) =>
  `${normalizeOptionalString(profilePrefix) ?? providerId}:${normalizeOptionalString(profileName) ?? 'default'}`;
/** The id of a profile with a token. @param {{ provider: string, name: string }} params @returns {string} */
export function buildTokenProfileId({ provider, name }) {
  const slug = normalizeLowercaseStringOrEmpty(name).replace(/[^a-z0-9._-]+/g, '-').replace(/-+/g, '-').replace(/^-+|-+$/g, '');
  return `${normalizeProviderId(provider)}:${slug || 'default'}`;
}

/** What is wrong with a setup token of Anthropic, if anything. @param {string} raw @returns {string | undefined} */
export function validateAnthropicSetupToken(raw) {
  const token = raw.trim();
  if (!token) return 'Required';
  if (!token.startsWith('sk-ant-oat01-')) return 'Expected token starting with sk-ant-oat01-';
  return token.length < 80 ? 'Token looks too short; paste the full setup-token' : undefined;
}

/** A key as text or as a reference. */
function secretOf(provider, input, { secretInputMode: mode } = {}) {
  if (mode === 'plaintext') return normalizeSecretInput(input);
  const text = normalizeSecretInput(input);
  const name = /^\$\{([A-Z][A-Z0-9_]*)\}$/.exec(text)?.[1];
  const ref = coerceSecretRef(input) ?? (name && { source: 'env', provider: 'default', id: name });
  if (ref || mode !== 'ref') return ref || text;
  const [variable] = getProviderEnvVars(provider).filter((candidate) => candidate.trim());
  if (!variable) throw new Error(`Provider "${provider}" does not have a default env var mapping for secret-input-mode=ref.`);
  return { source: 'env', provider: 'default', id: variable };
}
/** A credential with an API key. @param {string} provider @param {unknown} input @param {object} [metadata] @param {{ secretInputMode?: string }} [options] */
export function buildApiKeyCredential(provider, input, metadata, options) {
  const secret = secretOf(provider, input, options);
  return { type: 'api_key', provider, ...(typeof secret === 'string' ? { key: secret } : { keyRef: secret }), ...(metadata ? { metadata } : {}) };
}

/** The name of the provider of secrets that a source uses. @param {object} config @param {'env' | 'file' | 'exec'} source @param {{ preferFirstProviderForSource?: boolean }} [options] @returns {string} */
export function resolveDefaultSecretProviderAlias(config, source, options) {
  const named = config.secrets?.defaults?.[source]?.trim();
  const first = () => Object.entries(config.secrets?.providers ?? {}).find(([, provider]) => provider?.source === source)?.[0];
  return named || (options?.preferFirstProviderForSource && first()) || 'default';
}

export const COPILOT_EDITOR_VERSION = 'vscode/1.96.2';
export const COPILOT_EDITOR_PLUGIN_VERSION = 'copilot-chat/0.35.0';
export const COPILOT_USER_AGENT = 'GitHubCopilotChat/0.26.7';
export const COPILOT_GITHUB_API_VERSION = '2025-04-01';
export const COPILOT_INTEGRATION_ID = 'vscode-chat';
export const DEFAULT_COPILOT_API_BASE_URL = 'https://api.individual.githubcopilot.com';

/** The headers that Copilot expects. @param {{ includeApiVersion?: boolean }} [params] @returns {Record<string, string>} */
export const buildCopilotIdeHeaders = ({ includeApiVersion } = {}) => ({
  'Editor-Version': COPILOT_EDITOR_VERSION, 'Editor-Plugin-Version': COPILOT_EDITOR_PLUGIN_VERSION, 'User-Agent': COPILOT_USER_AGENT,
  ...(includeApiVersion ? { 'X-Github-Api-Version': COPILOT_GITHUB_API_VERSION } : {}),
});
/** The address that a token of Copilot names. @param {string} token @returns {string | null} */
export function deriveCopilotApiBaseUrlFromToken(token) {
  const proxy = /(?:^|;)\s*proxy-ep=([^;\s]+)/i.exec(token)?.[1];
  const url = proxy && (/^https?:\/\//i.test(proxy) ? proxy : `https://${proxy}`);
  if (!url || !URL.canParse(url)) return null;
  const base = `https://${new URL(url).hostname.toLowerCase().replace(/^proxy\./, 'api.')}`;
  return resolveProviderEndpoint(base).endpointClass === 'invalid' ? null : base;
}
