// Requests to LM Studio, with the key and the headers that are set for it.
import { isKnownEnvApiKeyMarker, isNonSecretApiKeyMarker } from '../auth/markers.js';
import { normalizeApiKeyConfig, normalizeOptionalSecretInput } from '../auth/keys.js';
import { resolveApiKeyForProvider } from '../auth/resolve.js';
import { createSubsystemLogger } from '../host.js';
import { resolveConfiguredSecretInputString } from '../secret-resolve.js';
import { hasConfiguredSecretInput } from '../secrets.js';
import { fetchWithSsrFGuard } from '../ssrf.js';
import { isRecord, normalizeOptionalString } from '../strings.js';
import { asModel, describedName, LMSTUDIO_DEFAULT_API_KEY_ENV_VAR, LMSTUDIO_DEFAULT_LOAD_CONTEXT_LENGTH, LMSTUDIO_LOCAL_API_KEY_PLACEHOLDER, LMSTUDIO_PROVIDER_ID, mapLmstudioWireEntry, resolveLmstudioServerBase, resolveLoadedContextWindow } from './models.js';

/** Time for a list of models and for loading one, in ms. */
const [LIST_TIMEOUT, LOAD_TIMEOUT] = [5000, 30_000];
/** Of an error of the server that is told, in characters. */
const TOLD = 2000;
const settings = (config) => config?.models?.providers?.[LMSTUDIO_PROVIDER_ID];

/** @param {{apiKey?: string, headers?: Record<string, string>, json?: boolean}} params @returns {Record<string, string> | undefined} */
export function buildLmstudioAuthHeaders({ apiKey, headers, json }) {
  const key = apiKey?.trim();
  const real = key && key !== LMSTUDIO_LOCAL_API_KEY_PLACEHOLDER && !isNonSecretApiKeyMarker(key);
  const own = Object.entries(headers ?? {}).filter(([name]) => !real || name.toLowerCase() !== 'authorization');
  const all = { ...Object.fromEntries(own), ...(real ? { Authorization: `Bearer ${key}` } : {}), ...(json ? { 'Content-Type': 'application/json' } : {}) };
  return Object.keys(all).length > 0 ? all : undefined;
}
/** @param {unknown} headers @returns {boolean} */
export const hasAuthorization = (headers) => isRecord(headers) && Object.entries(headers).some(([name, value]) => name.trim().toLowerCase() === 'authorization' && hasConfiguredSecretInput(value));

async function secret({ config, env = process.env, value, path }) {
  const { value: text, unresolvedRefReason } = await resolveConfiguredSecretInputString({ config, env, value, path, unresolvedReasonStyle: 'detailed' });
  if (unresolvedRefReason) throw new Error(`${path}: ${unresolvedRefReason}`);
  return text;
}
/** The key of the configuration; nothing for a placeholder. @param {{config?: object, env?: NodeJS.ProcessEnv, path?: string}} params @returns {Promise<string | undefined>} */
export async function resolveLmstudioConfiguredApiKey({ config, env = process.env, path = 'models.providers.lmstudio.apiKey' }) {
  const given = settings(config)?.apiKey;
  if (given === undefined || given === null) return undefined;
  const direct = normalizeOptionalSecretInput(given);
  const key = normalizeApiKeyConfig(direct ?? (await secret({ config, env, value: given, path })) ?? '').trim();
  if (direct !== undefined && isKnownEnvApiKeyMarker(key)) return normalizeOptionalSecretInput(env[key]);
  return !key || isNonSecretApiKeyMarker(key) ? undefined : key;
}
/** Headers with their secrets. @param {{config?: object, env?: NodeJS.ProcessEnv, headers: unknown, path?: string}} params @returns {Promise<Record<string, string> | undefined>} */
export async function resolveLmstudioProviderHeaders({ config, env, headers, path = 'models.providers.lmstudio.headers' }) {
  const read = async ([name, value]) => [name, config ? await secret({ config, env, value, path: `${path}.${name}` }) : normalizeOptionalString(value)];
  const rows = (await Promise.all(isRecord(headers) ? Object.entries(headers).map(read) : [])).filter(([, value]) => value);
  return rows.length > 0 ? Object.fromEntries(rows) : undefined;
}
/** The key for a request: of the credentials, else of the configuration; without either only headers may sign in. @param {{config?: object, agentDir?: string, env?: NodeJS.ProcessEnv, headers?: unknown}} params @returns {Promise<string | undefined>} */
export async function resolveLmstudioRuntimeApiKey({ config, agentDir, env, headers }) {
  if (!config) return undefined;
  const signed = hasAuthorization(headers ?? settings(config)?.headers);
  const { apiKey, source } = (await Promise.resolve().then(() => resolveApiKeyForProvider({ provider: LMSTUDIO_PROVIDER_ID, cfg: config, agentDir })).catch(() => undefined)) ?? {};
  const key = apiKey?.trim();
  const placeholder = key && isNonSecretApiKeyMarker(key) && key !== 'custom-local' && key !== LMSTUDIO_LOCAL_API_KEY_PLACEHOLDER;
  if (key && !placeholder && !(signed && /^profile:|^(?:shell )?env(?::|$)/.test(source ?? ''))) return key;
  const configured = await resolveLmstudioConfiguredApiKey({ config, env });
  if (configured || signed) return configured;
  throw new Error(`LM Studio API key is required. Set \`models.providers.lmstudio.apiKey\` (for example \`\${${LMSTUDIO_DEFAULT_API_KEY_ENV_VAR}}\`)`);
}
/** Key and headers together. @param {any} params @returns {Promise<{apiKey?: string, headers?: Record<string, string>}>} */
export async function resolveLmstudioRequestContext({ config, agentDir, env, providerHeaders }) {
  const headers = providerHeaders ?? settings(config)?.headers;
  const [apiKey, resolved] = await Promise.all([resolveLmstudioRuntimeApiKey({ config, agentDir, env, headers }), resolveLmstudioProviderHeaders({ config, env, headers })]);
  return { apiKey, headers: resolved };
}

async function request(url, init, { timeoutMs, fetchImpl, ssrfPolicy }) {
  if (ssrfPolicy) return fetchWithSsrFGuard({ url, init, timeoutMs, fetchImpl, policy: ssrfPolicy });
  return { response: await (fetchImpl ?? fetch)(url, { ...init, signal: AbortSignal.timeout(timeoutMs) }), release: async () => {} };
}
/** What the server has; `reachable` says whether it answered. @param {any} params `baseUrl`, `apiKey`, `headers`, `timeoutMs`, `fetchImpl`, `ssrfPolicy` @returns {Promise<{reachable: boolean, status?: number, models: any[], error?: unknown}>} */
export async function fetchLmstudioModels(params) {
  try {
    const { response, release } = await request(`${resolveLmstudioServerBase(params.baseUrl)}/api/v1/models`, { headers: buildLmstudioAuthHeaders({ apiKey: params.apiKey, headers: params.headers }) }, { timeoutMs: LIST_TIMEOUT, ...params });
    try {
      const { models } = response.ok ? await response.json() : {};
      return { reachable: true, status: response.status, models: Array.isArray(models) ? models : [] };
    } finally {
      await release();
    }
  } catch (error) {
    return { reachable: false, models: [], error };
  }
}
/** The language models of a server; none when it does not answer. @param {any} params as of `fetchLmstudioModels`, and `quiet` @returns {Promise<any[]>} */
export async function discoverLmstudioModels({ quiet, ...params }) {
  const { reachable, status, models, error } = await fetchLmstudioModels(params);
  const problem = !reachable ? String(error) : status >= 400 ? `HTTP ${status}` : models.length === 0 ? 'it has none' : undefined;
  if (problem && !quiet) createSubsystemLogger('lmstudio').debug(`no models of LM Studio: ${problem}`);
  return models.map(mapLmstudioWireEntry).filter(Boolean).map((base) => {
    const model = asModel(base, describedName(base));
    return { ...model, compat: { ...model.compat, supportsUsageInStreaming: true } };
  });
}
/** Loads a model with enough context, unless it is. @param {any} params `modelKey`, `requestedContextLength` and as of `fetchLmstudioModels` @returns {Promise<void>} */
export async function ensureLmstudioModelLoaded(params) {
  const key = params.modelKey.trim();
  if (!key) throw new Error('LM Studio model key is required');
  const limits = { ...params, timeoutMs: params.timeoutMs ?? LOAD_TIMEOUT };
  const found = await fetchLmstudioModels(limits);
  if (!found.reachable) throw new Error(`LM Studio model discovery failed: ${String(found.error)}`);
  if (found.status >= 400) throw new Error(`LM Studio model discovery failed (${found.status})`);
  const model = found.models.find((entry) => entry.key?.trim() === key);
  const whole = (value) => (Number.isFinite(value) && value > 0 ? Math.floor(value) : undefined);
  const context = Math.min(whole(params.requestedContextLength) ?? LMSTUDIO_DEFAULT_LOAD_CONTEXT_LENGTH, whole(model?.max_context_length) ?? Infinity);
  if (model && (resolveLoadedContextWindow(model) ?? 0) >= context) return;
  const init = { method: 'POST', headers: buildLmstudioAuthHeaders({ apiKey: params.apiKey, headers: params.headers, json: true }), body: JSON.stringify({ model: key, context_length: context }) };
  const { response, release } = await request(`${resolveLmstudioServerBase(params.baseUrl)}/api/v1/models/load`, init, limits);
  try {
    if (!response.ok) throw new Error(`LM Studio model load failed (${response.status})${await response.text().then((text) => (text ? `: ${text.slice(0, TOLD)}` : ''))}`);
    const { status } = await response.json();
    if (typeof status === 'string' && status.toLowerCase() !== 'loaded') throw new Error(`LM Studio model load returned unexpected status: ${status}`);
  } finally {
    await release();
  }
}
