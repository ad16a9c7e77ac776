// Setting up credentials: questions, references to secrets, and what configuration says of profiles.
import { normalizeLowercaseStringOrEmpty } from '../strings.js';
import { normalizeProviderId } from '../provider/id.js';
import { modelRefForConfig } from '../provider/model-refs.js';
import { getProviderEnvVars, resolveEnvApiKey, resolveProviderIdForAuth } from './env-names.js';
import { buildAuthProfileId, formatApiKeyPreview, resolveDefaultSecretProviderAlias } from './keys.js';

const ENV_NAME = /^[A-Z][A-Z0-9_]{0,127}$/;

/** A configuration that knows a profile. @param {object} cfg @param {{ profileId: string, provider: string, mode: string, email?: string, displayName?: string, preferProfileFirst?: boolean }} params @returns {object} */
export function applyAuthProfileConfig(cfg, { profileId, provider, mode, email, displayName, preferProfileFirst = true }) {
  const key = resolveProviderIdForAuth(provider);
  const isOwn = (id) => resolveProviderIdForAuth(id) === key;
  const siblings = Object.entries(cfg.auth?.profiles ?? {}).filter(([, profile]) => isOwn(profile.provider));
  const orders = Object.entries(cfg.auth?.order ?? {});
  const own = orders.filter(([id]) => isOwn(id)).flatMap(([, ids]) => ids);
  const hasOrder = orders.some(([id]) => isOwn(id));
  const mixed = siblings.some(([id, profile]) => id !== profileId && profile.mode !== mode);
  const first = (ids) => [...new Set([profileId, ...ids])];
  const last = (ids) => [...new Set([...ids, profileId])];
  const ids = hasOrder ? (preferProfileFirst ? first : last)(own) : preferProfileFirst && mixed ? first(siblings.map(([id]) => id)) : undefined;
  const rest = hasOrder ? Object.fromEntries(orders.filter(([id]) => !isOwn(id))) : cfg.auth?.order;
  const order = ids ? { ...rest, [key]: ids } : rest;
  const profile = { provider, mode, ...(email ? { email } : {}), ...(displayName ? { displayName } : {}) };
  return { ...cfg, auth: { ...cfg.auth, profiles: { ...cfg.auth?.profiles, [profileId]: profile }, ...(order ? { order } : {}) } };
}

/** The result of a sign-in. @param {object} params @returns {{ profiles: object[], configPatch: object, defaultModel: string, notes?: string[] }} */
export function buildOauthProviderAuthResult(params) {
  const { providerId, access, refresh, expires, credentialExtra, notes } = params;
  const [email, displayName] = [params.email ?? undefined, params.displayName ?? undefined];
  const defaultModel = modelRefForConfig(params.defaultModel);
  const credential = {
    type: 'oauth', provider: providerId, access, ...(refresh ? { refresh } : {}), ...(Number.isFinite(expires) ? { expires } : {}),
    ...(email ? { email } : {}), ...(displayName ? { displayName } : {}), ...credentialExtra,
  };
  const profileId = buildAuthProfileId({ providerId, profilePrefix: params.profilePrefix, profileName: params.profileName ?? email });
  return { profiles: [{ profileId, credential }], configPatch: withModelRefs(params.configPatch ?? { agents: { defaults: { models: { [defaultModel]: {} } } } }), defaultModel, notes };
}

/** A patch whose model names are in canonical form. */
function withModelRefs(patch) {
  const defaults = patch.agents?.defaults;
  if (!defaults) return patch;
  const next = { ...defaults };
  if (typeof defaults.model === 'string') next.model = modelRefForConfig(defaults.model);
  else if (defaults.model && typeof defaults.model === 'object') {
    const { primary, fallbacks } = defaults.model;
    const name = (value) => (typeof value === 'string' ? modelRefForConfig(value) : value);
    next.model = { ...defaults.model, ...(primary === undefined ? {} : { primary: name(primary) }), ...(Array.isArray(fallbacks) ? { fallbacks: fallbacks.map(name) } : {}) };
  }
  if (defaults.models) next.models = Object.fromEntries(Object.entries(defaults.models).map(([ref, entry]) => [modelRefForConfig(ref), entry]));
  return { ...patch, agents: { ...patch.agents, defaults: next } };
}

/** Whether a key is pasted or referred to: as given, else asked. @param {{ prompter: object, explicitMode?: string, copy?: object }} params @returns {Promise<'plaintext' | 'ref'>} */
export async function resolveSecretInputModeForEnvSelection({ prompter, explicitMode, copy }) {
  if (explicitMode) return explicitMode;
  if (typeof prompter.select !== 'function') return 'plaintext';
  const chosen = await prompter.select({
    message: copy?.modeMessage ?? 'How should this API key be kept?',
    initialValue: 'plaintext',
    options: [
      { value: 'plaintext', label: copy?.plaintextLabel ?? 'Paste the key', hint: copy?.plaintextHint ?? 'it is stored with the credentials' },
      { value: 'ref', label: copy?.refLabel ?? 'Refer to it', hint: copy?.refHint ?? 'only the name of an environment variable is stored' },
    ],
  });
  return chosen === 'ref' ? 'ref' : 'plaintext';
}

/** Asks which environment variable holds a secret; its value and the reference. @param {{ provider: string, config: object, prompter: object, preferredEnvVar?: string, env?: NodeJS.ProcessEnv, copy?: object }} params @returns {Promise<{ ref: object, resolvedValue: string }>} */
export async function promptSecretRefForSetup({ provider, config, prompter, preferredEnvVar, env = process.env, copy }) {
  const suggested = preferredEnvVar ?? getProviderEnvVars(provider)[0];
  const validate = (value) => {
    const name = String(value).trim();
    if (!ENV_NAME.test(name)) return copy?.envVarFormatError ?? 'A name of capital letters, digits and underscores, like `OPENAI_API_KEY`';
    return env[name]?.trim() ? undefined : copy?.envVarMissingError?.(name) ?? `The environment variable \`${name}\` is not set here`;
  };
  const typed = String((await prompter.text({ message: copy?.envVarMessage ?? 'Name of the environment variable', initialValue: suggested, placeholder: copy?.envVarPlaceholder ?? 'OPENAI_API_KEY', validate })) ?? '').trim();
  const id = ENV_NAME.test(typed) ? typed : suggested;
  const resolvedValue = id && env[id]?.trim();
  if (!resolvedValue) throw new Error(`the environment variable ${id ? `\`${id}\`` : 'for the key'} of \`${provider}\` is not set; set it or paste the key`);
  await prompter.note?.(copy?.envValidatedMessage?.(id) ?? `\`${id}\` is set; only its name will be stored.`, 'Reference checked');
  return { ref: { source: 'env', provider: resolveDefaultSecretProviderAlias(config, 'env', { preferFirstProviderForSource: true }), id }, resolvedValue };
}

const variableOf = (found) => found?.source.replace(/^.*env: /, '');

/** The key of the environment, or one that is asked for; it is handed to `setCredential`. @param {object} params @returns {Promise<string>} */
export async function ensureApiKeyFromEnvOrPrompt(params) {
  const { provider, prompter, env = process.env, config = {} } = params;
  const mode = await resolveSecretInputModeForEnvSelection({ prompter, explicitMode: params.secretInputMode });
  const found = resolveEnvApiKey(provider, env);
  if (mode === 'ref') {
    const id = variableOf(found);
    const asks = typeof prompter.select === 'function';
    if (!asks && !id) throw new Error(`no environment variable of \`${provider}\` is set; set \`${getProviderEnvVars(provider)[0] ?? 'it'}\` to refer to it`);
    const answer = asks
      ? await promptSecretRefForSetup({ provider, config, prompter, preferredEnvVar: id, env })
      : { ref: { source: 'env', provider: resolveDefaultSecretProviderAlias(config, 'env'), id }, resolvedValue: found.apiKey };
    await params.setCredential(answer.ref, mode);
    return answer.resolvedValue;
  }
  const question = `Use existing ${params.envLabel} (${found?.source}, ${formatApiKeyPreview(found?.apiKey ?? '')})?`;
  const kept = found && (await prompter.confirm({ message: question, initialValue: true }));
  const key = kept ? found.apiKey : params.normalize((await prompter.text({ message: params.promptMessage, placeholder: 'API key', validate: params.validate, sensitive: true })) ?? '');
  await params.setCredential(key, mode);
  return key;
}

/** The key of an option when it is meant for this provider, else as above. @param {object} params @returns {Promise<string>} */
export async function ensureApiKeyFromOptionEnvOrPrompt(params) {
  const named = normalizeLowercaseStringOrEmpty(params.tokenProvider);
  if (params.token && named && params.expectedProviders.some((provider) => normalizeLowercaseStringOrEmpty(provider) === named)) {
    const key = params.normalize(params.token);
    await params.setCredential(key, params.secretInputMode);
    return key;
  }
  if (params.noteMessage) await params.prompter.note(params.noteMessage, params.noteTitle);
  return ensureApiKeyFromEnvOrPrompt(params);
}

/** Keys without blanks, each once. */
const distinct = (keys) => [...new Set(keys.map((key) => key?.trim()).filter(Boolean))];
/** All keys of a provider: the first one, then those of the environment (`NAME_API_KEYS`, `NAME_API_KEY`, `NAME_API_KEY_*`). @param {{ provider: string, primaryApiKey?: string }} params @returns {string[]} */
export function collectProviderApiKeysForExecution({ provider, primaryApiKey }) {
  const env = process.env;
  const id = normalizeProviderId(provider);
  const google = id === 'google' || id === 'google-vertex';
  const stem = google ? 'GEMINI' : id.toUpperCase().replace(/-/g, '_');
  const forced = env[`OPENCLAW_LIVE_${stem}_KEY`];
  if (forced?.trim()) return distinct([primaryApiKey, forced]);
  const numbered = Object.keys(env).filter((name) => name.startsWith(`${stem}_API_KEY_`)).map((name) => env[name]);
  const named = [...(google ? ['GOOGLE_API_KEY'] : []), ...getProviderEnvVars(id)].map((name) => env[name]);
  return distinct([primaryApiKey, ...(env[`${stem}_API_KEYS`] ?? '').split(/[\s,;]+/), env[`${stem}_API_KEY`], ...numbered, ...named]);
}

const limited = (message) => /rate[_ ]limit|429|quota exceeded|quota_exceeded|resource exhausted|resource_exhausted|too many requests/i.test(message);
/** Tries a request with one key after another while they are limited. @param {{ provider: string, apiKeys: string[], execute: (apiKey: string) => Promise<any>, shouldRetry?: (info: object) => boolean, onRetry?: (info: object) => void }} params */
export async function executeWithApiKeyRotation({ provider, apiKeys, execute, shouldRetry, onRetry }) {
  const keys = distinct(apiKeys);
  if (keys.length === 0) throw new Error(`No API keys configured for provider "${provider}".`);
  for (let attempt = 0; ; attempt++) {
    try {
      return await execute(keys[attempt]);
    } catch (error) {
      const info = { apiKey: keys[attempt], error, attempt, message: String(error?.message ?? error) };
      if (attempt + 1 >= keys.length || !(shouldRetry ? shouldRetry(info) : limited(info.message))) throw error;
      onRetry?.(info);
    }
  }
}
