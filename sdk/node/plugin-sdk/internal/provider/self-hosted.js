// Set-up of model servers that people run themselves and that speak as OpenAI's does.
import { applyAuthProfileConfig } from '../auth/setup.js';
import { upsertAuthProfileWithLock } from '../auth/store.js';
import { createSubsystemLogger } from '../host.js';
import { ssrfPolicyFromHttpBaseUrlAllowedHostname } from '../ssrf-policy.js';
import { fetchWithSsrFGuard } from '../ssrf.js';
import { normalizeOptionalString } from '../strings.js';

/** In tokens. */
export const SELF_HOSTED_DEFAULT_CONTEXT_WINDOW = 128_000;
export const SELF_HOSTED_DEFAULT_MAX_TOKENS = 8192;
export const SELF_HOSTED_DEFAULT_COST = { input: 0, output: 0, cacheRead: 0, cacheWrite: 0 };
/** Time for a list of models, in ms, and how many are asked for details. */
const [TIMEOUT, DETAILED] = [5000, 32];

const trimUrl = (url) => url.trim().replace(/\/+$/, '');
const count = (value) => (Number.isFinite(value) && value > 0 ? Math.floor(value) : undefined);
const reasons = (id) => /r1|reasoning|think|reason/i.test(id);

async function ask(baseUrl, url, apiKey) {
  const key = normalizeOptionalString(apiKey);
  const { response, release } = await fetchWithSsrFGuard({ url, init: { headers: key ? { Authorization: `Bearer ${key}` } : undefined }, policy: ssrfPolicyFromHttpBaseUrlAllowedHostname(baseUrl), timeoutMs: TIMEOUT });
  try {
    return response.ok ? { body: await response.json() } : { status: response.status };
  } finally {
    await release();
  }
}
/** The context that llama.cpp was started with; other servers have no such page. */
async function runningContext(baseUrl, apiKey, modelId) {
  const url = new URL(`${baseUrl.replace(/\/v1$/, '')}/props`);
  if (modelId) url.searchParams.set('model', modelId);
  const { body } = await ask(baseUrl, url.href, apiKey).catch(() => ({}));
  return count(body?.default_generation_settings?.n_ctx) ?? count(body?.n_ctx);
}

/**
 * The models of a server; none when it does not answer.
 * @param {{baseUrl: string, apiKey?: string, label: string, contextWindow?: number, maxTokens?: number, env?: NodeJS.ProcessEnv}} params
 * @returns {Promise<object[]>}
 */
export async function discoverOpenAICompatibleLocalModels({ baseUrl: given, apiKey, label, contextWindow, maxTokens, env = process.env }) {
  if (env.VITEST || env.NODE_ENV === 'test') return [];
  const log = createSubsystemLogger('providers/self-hosted');
  const baseUrl = trimUrl(given);
  try {
    const { body, status } = await ask(baseUrl, `${baseUrl}/models`, apiKey);
    const found = (Array.isArray(body?.data) ? body.data : []).map(({ id, meta }) => ({ id: normalizeOptionalString(id), meta })).filter(({ id }) => id);
    if (found.length === 0) log.warn(status ? `the models of ${label} could not be listed: HTTP ${status}` : `${label} has no models`);
    const context = async ({ id }, index) => (contextWindow === undefined && index < DETAILED ? runningContext(baseUrl, apiKey, found.length > 1 ? id : undefined) : undefined);
    const contexts = await Promise.all(found.map(context));
    return found.map(({ id, meta }, index) => ({
      id, name: id, reasoning: reasons(id), input: ['text'], cost: SELF_HOSTED_DEFAULT_COST, contextWindow: contextWindow ?? count(meta?.n_ctx_train) ?? SELF_HOSTED_DEFAULT_CONTEXT_WINDOW,
      maxTokens: maxTokens ?? SELF_HOSTED_DEFAULT_MAX_TOKENS, ...(contexts[index] ? { contextTokens: contexts[index] } : {}),
    }));
  } catch (error) {
    log.warn(`the models of ${label} could not be listed: ${error?.message ?? error}`);
    return [];
  }
}

const wildcard = (cfg, id) => Object.keys(cfg.agents?.defaults?.models ?? {}).some((ref) => ref.trim().toLowerCase() === `${id.toLowerCase()}/*`);
/** A provider's catalogue for its discovery; `null` when the configuration lists its models, or there is no key. @param {any} params @returns {Promise<{provider: object} | null>} */
export async function discoverOpenAICompatibleSelfHostedProvider({ ctx, providerId, buildProvider }) {
  const configured = Object.entries(ctx.config.models?.providers ?? {}).find(([id]) => id.trim().toLowerCase() === providerId.toLowerCase())?.[1];
  if (configured && !wildcard(ctx.config, providerId)) return null;
  const { apiKey, discoveryApiKey } = ctx.resolveProviderApiKey(providerId);
  if (!apiKey) return null;
  const baseUrl = normalizeOptionalString(configured?.baseUrl);
  return { provider: { ...(await buildProvider({ apiKey: discoveryApiKey, ...(baseUrl ? { baseUrl } : {}) })), apiKey } };
}

/** Makes a model the first of all agents. @param {object} cfg @param {string} modelRef @returns {object} */
export function applyProviderDefaultModel(cfg, modelRef) {
  const { defaults } = cfg.agents ?? {};
  const fallbacks = typeof defaults?.model === 'object' ? defaults.model?.fallbacks : undefined;
  return { ...cfg, agents: { ...cfg.agents, defaults: { ...defaults, model: { ...(fallbacks ? { fallbacks } : {}), primary: modelRef } } } };
}

function configured({ cfg, providerId, baseUrl, apiKey, modelId, input, reasoning, contextWindow, maxTokens }) {
  const model = { id: modelId, name: modelId, reasoning: reasoning ?? false, input: input ?? ['text'], cost: SELF_HOSTED_DEFAULT_COST, contextWindow: contextWindow ?? SELF_HOSTED_DEFAULT_CONTEXT_WINDOW, maxTokens: maxTokens ?? SELF_HOSTED_DEFAULT_MAX_TOKENS };
  const provider = { ...cfg.models?.providers?.[providerId], baseUrl, api: 'openai-completions', apiKey, models: [model] };
  return { config: { ...cfg, models: { ...cfg.models, mode: cfg.models?.mode ?? 'merge', providers: { ...cfg.models?.providers, [providerId]: provider } } }, modelId, modelRef: `${providerId}/${modelId}`, profileId: `${providerId}:default` };
}

const required = (value) => (value?.trim() ? undefined : 'Required');
/** Asks for address, key and model. @param {any} params @returns {Promise<any>} the configuration and the credential */
export async function promptAndConfigureOpenAICompatibleSelfHostedProvider(params) {
  const { prompter, providerLabel: label, providerId } = params;
  const question = async (message, options) => String((await prompter.text({ message: `${label} ${message}`, validate: required, ...options })) ?? '').trim();
  const baseUrl = trimUrl(await question('base URL', { initialValue: params.defaultBaseUrl, placeholder: params.defaultBaseUrl }));
  const key = await question('API key', { placeholder: 'sk-... (or any non-empty string)', sensitive: true });
  const modelId = await question('model', { placeholder: params.modelPlaceholder });
  return { ...configured({ ...params, baseUrl, modelId, apiKey: params.defaultApiKeyEnvVar }), credential: { type: 'api_key', provider: providerId, key } };
}
/** The same as the result of a sign-in. @param {any} params @returns {Promise<any>} */
export async function promptAndConfigureOpenAICompatibleSelfHostedProviderAuth(params) {
  const { config, credential, modelRef, profileId } = await promptAndConfigureOpenAICompatibleSelfHostedProvider(params);
  return { profiles: [{ profileId, credential }], configPatch: config, defaultModel: modelRef };
}

/** Takes them from the options of a command. @param {any} params @returns {Promise<object | null>} the configuration; `null` when something is missing, which is told */
export async function configureOpenAICompatibleSelfHostedProviderNonInteractive(params) {
  const { ctx, providerId, providerLabel, defaultApiKeyEnvVar: envVar } = params;
  const option = (name) => normalizeOptionalString(ctx.opts[name]);
  const modelId = option('customModelId');
  if (!modelId) {
    ctx.runtime.error(`\`--auth-choice ${ctx.authChoice}\` needs \`--custom-model-id\` without questions. Give the id of a model of ${providerLabel}, such as \`${params.modelPlaceholder}\``);
    ctx.runtime.exit(1);
    return null;
  }
  const resolved = await ctx.resolveApiKey({ provider: providerId, flagValue: option('customApiKey'), flagName: '--custom-api-key', envVar, envVarName: envVar });
  const credential = resolved && (ctx.toApiKeyCredential ? ctx.toApiKeyCredential({ provider: providerId, resolved }) : { type: 'api_key', provider: providerId, key: resolved.key });
  if (!credential) return null;
  const made = configured({ ...params, cfg: ctx.config, baseUrl: trimUrl(option('customBaseUrl') ?? params.defaultBaseUrl), modelId, apiKey: envVar });
  await upsertAuthProfileWithLock({ profileId: made.profileId, credential, agentDir: ctx.agentDir });
  ctx.runtime.log(`Default ${providerLabel} model: ${modelId}`);
  return applyProviderDefaultModel(applyAuthProfileConfig(made.config, { profileId: made.profileId, provider: providerId, mode: 'api_key' }), made.modelRef);
}
