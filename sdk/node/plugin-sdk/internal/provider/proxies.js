// Requests through services that pass models of others on: OpenRouter, Kilocode, MiniMax.
import fs from 'node:fs';
import path from 'node:path';
import { formatErrorMessage } from '../error-text.js';
import { createSubsystemLogger } from '../host.js';
import { resolveStateDir } from '../paths.js';
import { normalizeLowercaseStringOrEmpty } from '../strings.js';
import { resolveProviderEndpoint } from './endpoints.js';
import { fetchWithTimeout } from './http.js';
import { reasoningEffort } from './openai-payload.js';
import { applyAnthropicEphemeralCacheControlMarkers, createPayloadPatchStreamWrapper, noTransport, streamWithPayloadPatch } from './payloads.js';
import { resolveProviderRequestPolicyConfig } from './request.js';

/** Reasoning as these services take it, in place. */
function setReasoning(payload, level) {
  delete payload.reasoning_effort;
  if (!level || level === 'off') return;
  const own = payload.reasoning;
  if (own && typeof own === 'object' && !Array.isArray(own)) {
    if (!('max_tokens' in own) && !('effort' in own)) own.effort = reasoningEffort(level);
  } else if (!own) payload.reasoning = { effort: reasoningEffort(level) };
}

const wrapper = (base, provider, level, precedence, headersOf) => (model, context, options) => {
  const { headers } = resolveProviderRequestPolicyConfig({
    provider: typeof model.provider === 'string' ? model.provider : provider, api: model.api, baseUrl: model.baseUrl, capability: 'llm', transport: 'stream',
    callerHeaders: options?.headers, providerHeaders: headersOf(model), precedence,
  });
  return streamWithPayloadPatch(base ?? noTransport, model, context, { ...options, headers }, (payload) => setReasoning(payload, level));
};

/** Requests to Kilocode. @param {Function | undefined} base @param {string} [level] */
export const createKilocodeWrapper = (base, level) =>
  wrapper(base, 'kilocode', level, 'defaults-win', () => ({ 'X-KILOCODE-FEATURE': process.env.KILOCODE_FEATURE?.trim() || 'openclaw' }));

const isOpenRouter = (model) => {
  const { endpointClass } = resolveProviderEndpoint(model.baseUrl);
  return endpointClass === 'openrouter' || (endpointClass === 'default' && normalizeLowercaseStringOrEmpty(model.provider) === 'openrouter');
};
const pick = (params, ...names) => names.filter((name) => params && Object.hasOwn(params, name)).map((name) => params[name])[0];
function boolean(value) {
  if (typeof value === 'boolean') return value;
  const word = normalizeLowercaseStringOrEmpty(value);
  if (['1', 'true', 'yes', 'on', 'enable', 'enabled'].includes(word)) return true;
  return ['0', 'false', 'no', 'off', 'disable', 'disabled'].includes(word) ? false : undefined;
}
function cacheHeaders(model, params) {
  if (!isOpenRouter(model)) return undefined;
  const clear = boolean(pick(params, 'responseCacheClear', 'response_cache_clear'));
  const on = boolean(pick(params, 'responseCache', 'response_cache')) ?? (clear ? true : undefined);
  if (on !== true) return on === false ? { 'X-OpenRouter-Cache': 'false' } : undefined;
  const ttl = Number.parseFloat(String(pick(params, 'responseCacheTtlSeconds', 'response_cache_ttl_seconds', 'responseCacheTtl', 'response_cache_ttl')).trim());
  const seconds = Number.isFinite(ttl) ? { 'X-OpenRouter-Cache-TTL': String(Math.max(1, Math.min(86_400, Math.trunc(ttl)))) } : {};
  return { 'X-OpenRouter-Cache': 'true', ...seconds, ...(clear ? { 'X-OpenRouter-Cache-Clear': 'true' } : {}) };
}
/** Requests to OpenRouter. @param {Function | undefined} base @param {string} [level] @param {object} [extraParams] */
export const createOpenRouterWrapper = (base, level, extraParams) => wrapper(base, 'openrouter', level, 'caller-wins', (model) => cacheHeaders(model, extraParams));

/** Cache marks for Claude behind OpenRouter. @param {Function | undefined} base */
export const createOpenRouterSystemCacheWrapper = (base) =>
  createPayloadPatchStreamWrapper(base, ({ payload }) => applyAnthropicEphemeralCacheControlMarkers(payload), {
    shouldPatch: ({ model }) => normalizeLowercaseStringOrEmpty(model.id).startsWith('anthropic/') && isOpenRouter(model),
  });

/** The fast variant of a MiniMax model. @param {Function | undefined} base @param {boolean} [fastMode] */
export const createMinimaxFastModeWrapper = (base, fastMode) => (model, context, options) => {
  const fits = fastMode && model.api === 'anthropic-messages' && ['minimax', 'minimax-portal'].includes(model.provider) && String(model.id).trim() === 'MiniMax-M2.7';
  return (base ?? noTransport)(fits ? { ...model, id: 'MiniMax-M2.7-highspeed' } : model, context, options);
};

const MODELS_URL = 'https://openrouter.ai/api/v1/models';
/** How long the list of models may take, in milliseconds. */
const FETCH_TIMEOUT_MS = 10_000;
let models;
let fetching;
const known = new Set();
const cacheFile = () => path.join(resolveStateDir(), 'cache', 'openrouter-models.json');

function readCache() {
  try {
    const saved = JSON.parse(fs.readFileSync(cacheFile(), 'utf8'));
    const rows = Object.entries(saved.version === 2 ? saved.models ?? {} : {});
    const valid = rows.filter(([, row]) => typeof row?.name === 'string' && Array.isArray(row.input) && typeof row.contextWindow === 'number');
    return valid.length > 0 ? new Map(valid) : undefined;
  } catch {
    return undefined;
  }
}
const price = (value) => Number.parseFloat(value || '0') * 1e6;
function capabilityOf(model) {
  const [input = ''] = (model.architecture?.modality ?? model.modality ?? '').split('->');
  const takes = Array.isArray(model.supported_parameters) ? model.supported_parameters : undefined;
  return {
    name: model.name || model.id, input: ['text', ...(input.includes('image') ? ['image'] : [])], reasoning: takes?.includes('reasoning') ?? false,
    ...(takes ? { supportsTools: takes.includes('tools') } : {}), contextWindow: model.context_length || 128_000,
    maxTokens: model.top_provider?.max_completion_tokens ?? model.max_completion_tokens ?? model.max_output_tokens ?? 8192,
    cost: { input: price(model.pricing?.prompt), output: price(model.pricing?.completion), cacheRead: price(model.pricing?.input_cache_read), cacheWrite: price(model.pricing?.input_cache_write) },
  };
}
async function refresh() {
  const log = createSubsystemLogger('openrouter-model-capabilities');
  try {
    const response = await fetchWithTimeout(MODELS_URL, {}, FETCH_TIMEOUT_MS);
    if (!response.ok) return log.warn(`OpenRouter's list of models answered ${response.status}`);
    models = new Map(((await response.json()).data ?? []).filter((model) => model.id).map((model) => [model.id, capabilityOf(model)]));
    fs.mkdirSync(path.dirname(cacheFile()), { recursive: true, mode: 0o700 });
    fs.writeFileSync(`${cacheFile()}.tmp`, JSON.stringify({ version: 2, models: Object.fromEntries(models) }), { mode: 0o600 });
    fs.renameSync(`${cacheFile()}.tmp`, cacheFile());
  } catch (error) {
    log.warn(`OpenRouter's list of models could not be read: ${formatErrorMessage(error)}`);
  }
  return undefined;
}
const startRefresh = () => (fetching ??= refresh().finally(() => (fetching = undefined)));

/** What OpenRouter says of a model, when it is known; asks in the background otherwise. @param {string} modelId */
export function getOpenRouterModelCapabilities(modelId) {
  models ??= readCache();
  const found = models?.get(modelId);
  if (!found && !known.delete(modelId)) startRefresh();
  return found;
}
/** Waits until it is known. @param {string} modelId @returns {Promise<void>} */
export async function loadOpenRouterModelCapabilities(modelId) {
  models ??= readCache();
  if (models?.has(modelId)) return;
  await startRefresh();
  if (!models?.has(modelId)) known.add(modelId);
}
