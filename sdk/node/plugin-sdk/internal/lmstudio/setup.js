// Set-up of LM Studio, and its part in catalogues of models.
import { withAgentModelAliases } from '../provider/onboard.js';
import { applyProviderDefaultModel } from '../provider/self-hosted.js';
import { normalizeOptionalString } from '../strings.js';
import { asModel, LMSTUDIO_DEFAULT_API_KEY_ENV_VAR, LMSTUDIO_DEFAULT_BASE_URL, LMSTUDIO_DEFAULT_MODEL_ID, LMSTUDIO_LOCAL_API_KEY_PLACEHOLDER, LMSTUDIO_PROVIDER_ID, mapLmstudioWireEntry, resolveLmstudioInferenceBase } from './models.js';
import { discoverLmstudioModels, fetchLmstudioModels, hasAuthorization, resolveLmstudioConfiguredApiKey, resolveLmstudioProviderHeaders, resolveLmstudioRequestContext } from './requests.js';

const own = (config) => config.models?.providers?.[LMSTUDIO_PROVIDER_ID];
/** The models of a server and the one to begin with, or what to tell. */
async function look(baseUrl, apiKey, headers) {
  const { reachable, status, models: wire } = await fetchLmstudioModels({ baseUrl, apiKey, headers });
  const models = wire.map(mapLmstudioWireEntry).filter(Boolean).map((base) => asModel(base));
  if (!reachable) return { failure: `LM Studio does not answer at ${baseUrl}. Start it (\`lms server start\`) and try again.` };
  if (status >= 400) return { failure: `LM Studio answered HTTP ${status} at ${baseUrl}. Check the address and the key.` };
  if (models.length === 0) return { failure: `LM Studio has no language model at ${baseUrl}. Load one (\`lms load\`) and try again.` };
  return { models, first: models.some(({ id }) => id === LMSTUDIO_DEFAULT_MODEL_ID) ? LMSTUDIO_DEFAULT_MODEL_ID : models[0].id };
}
function providerOf(existing, { baseUrl, apiKey, headers, models }) {
  const { auth: _auth, apiKey: _former, ...rest } = existing ?? {};
  return { ...rest, baseUrl, api: existing?.api ?? 'openai-completions', ...(apiKey && apiKey !== LMSTUDIO_LOCAL_API_KEY_PLACEHOLDER ? { auth: 'api-key' } : {}), ...(apiKey ? { apiKey } : {}), headers, models };
}
const withModels = (config, provider) => ({ ...config, models: { ...config.models, mode: config.models?.mode ?? 'merge', providers: { ...config.models?.providers, [LMSTUDIO_PROVIDER_ID]: provider } } });

/** Asks for address and key, looks for models. @param {any} params `config`, `prompter` or `promptText`, `note` @returns {Promise<{profiles: any[], configPatch: object, defaultModel: string}>} */
export async function promptAndConfigureLmstudioInteractive(params) {
  const { config } = params;
  const ask = params.prompter?.text?.bind(params.prompter) ?? params.promptText;
  if (!ask) throw new Error('LM Studio interactive setup requires a text prompter.');
  const given = await ask({ message: 'LM Studio base URL', initialValue: LMSTUDIO_DEFAULT_BASE_URL, placeholder: LMSTUDIO_DEFAULT_BASE_URL, validate: (value) => (value?.trim() ? undefined : 'Required') });
  const baseUrl = resolveLmstudioInferenceBase(given ?? LMSTUDIO_DEFAULT_BASE_URL);
  const key = normalizeOptionalString(await ask({ message: 'LM Studio API key', placeholder: 'sk-... (leave blank if auth is disabled)', validate: () => undefined, sensitive: true }));
  const headers = await resolveLmstudioProviderHeaders({ config, headers: own(config)?.headers });
  const signed = hasAuthorization(headers);
  const { failure, models, first } = await look(baseUrl, key ?? (signed ? undefined : LMSTUDIO_LOCAL_API_KEY_PLACEHOLDER), headers);
  if (failure) {
    await (params.prompter?.note?.bind(params.prompter) ?? params.note)?.(failure, 'LM Studio');
    throw Object.assign(new Error(failure), { name: 'WizardCancelledError' });
  }
  const apiKey = key ? LMSTUDIO_DEFAULT_API_KEY_ENV_VAR : signed ? undefined : LMSTUDIO_LOCAL_API_KEY_PLACEHOLDER;
  const provider = providerOf(own(config), { baseUrl, apiKey, headers: own(config)?.headers, models });
  return {
    profiles: key ? [{ profileId: `${LMSTUDIO_PROVIDER_ID}:default`, credential: { type: 'api_key', provider: LMSTUDIO_PROVIDER_ID, key } }] : [],
    configPatch: { agents: { defaults: { models: withAgentModelAliases(config.agents?.defaults?.models, models.map(({ id }) => `${LMSTUDIO_PROVIDER_ID}/${id}`)) } }, models: { mode: config.models?.mode ?? 'merge', providers: { [LMSTUDIO_PROVIDER_ID]: provider } } },
    defaultModel: `${LMSTUDIO_PROVIDER_ID}/${first}`,
  };
}

/** Takes address, key and model from the options of a command. @param {any} ctx @returns {Promise<object | null>} the configuration; `null` after it told what is missing */
export async function configureLmstudioNonInteractive(ctx) {
  const option = (name) => normalizeOptionalString(ctx.opts[name]);
  const stop = (message) => {
    ctx.runtime.error(message);
    ctx.runtime.exit(1);
    return null;
  };
  const baseUrl = resolveLmstudioInferenceBase(option('customBaseUrl') ?? LMSTUDIO_DEFAULT_BASE_URL);
  const named = option('lmstudioApiKey');
  const resolved = await ctx.resolveApiKey({ provider: LMSTUDIO_PROVIDER_ID, flagValue: named ?? option('customApiKey'), flagName: named ? '--lmstudio-api-key' : '--custom-api-key', envVar: LMSTUDIO_DEFAULT_API_KEY_ENV_VAR, envVarName: LMSTUDIO_DEFAULT_API_KEY_ENV_VAR, required: false });
  const headers = await resolveLmstudioProviderHeaders({ config: ctx.config, headers: own(ctx.config)?.headers });
  const signed = hasAuthorization(headers);
  const key = signed && resolved?.source !== 'flag' ? undefined : resolved?.key;
  const { failure, models, first } = await look(baseUrl, key ?? (signed ? undefined : LMSTUDIO_LOCAL_API_KEY_PLACEHOLDER), headers);
  if (failure) return stop(failure);
  const chosen = option('customModelId') ?? first;
  if (!models.some(({ id }) => id === chosen)) return stop(`LM Studio has no model \`${chosen}\` at ${baseUrl}; it has: ${models.map(({ id }) => id).join(', ')}`);
  const apiKey = key ? LMSTUDIO_DEFAULT_API_KEY_ENV_VAR : signed ? undefined : LMSTUDIO_LOCAL_API_KEY_PLACEHOLDER;
  return applyProviderDefaultModel(withModels(ctx.config, providerOf(own(ctx.config), { baseUrl, apiKey, headers: own(ctx.config)?.headers, models })), `${LMSTUDIO_PROVIDER_ID}/${chosen}`);
}

const merged = (known = [], found = []) => [...known, ...found.filter(({ id }) => !known.some((model) => model.id.trim() === id))];
/** LM Studio for a catalogue: what is set, and what the server has; `null` when neither is there. @param {any} ctx @returns {Promise<{provider: any} | null>} */
export async function discoverLmstudioProvider(ctx) {
  const explicit = own(ctx.config);
  const { apiKey, discoveryApiKey } = ctx.resolveProviderApiKey?.(LMSTUDIO_PROVIDER_ID) ?? {};
  if (!explicit && !apiKey) return null;
  const [configured, headers] = await Promise.all([resolveLmstudioConfiguredApiKey({ config: ctx.config, env: ctx.env }), resolveLmstudioProviderHeaders({ config: ctx.config, env: ctx.env, headers: explicit?.headers })]);
  const baseUrl = resolveLmstudioInferenceBase(explicit?.baseUrl);
  const found = await discoverLmstudioModels({ baseUrl, apiKey: discoveryApiKey ?? configured ?? '', headers, quiet: !explicit });
  const models = merged(explicit?.models, found);
  if (models.length === 0 && !explicit) return null;
  const key = explicit?.apiKey ?? apiKey ?? (hasAuthorization(headers) ? undefined : LMSTUDIO_LOCAL_API_KEY_PLACEHOLDER);
  return { provider: { ...explicit, baseUrl, api: explicit?.api ?? 'openai-completions', ...(key ? { apiKey: key } : {}), ...(headers ? { headers } : {}), models } };
}
/** The models of the server for a run. @param {any} ctx @returns {Promise<any[]>} */
export async function prepareLmstudioDynamicModels(ctx) {
  const { apiKey, headers } = await resolveLmstudioRequestContext({ config: ctx.config, agentDir: ctx.agentDir, env: ctx.env, providerHeaders: ctx.providerConfig?.headers }).catch(() => ({}));
  const baseUrl = resolveLmstudioInferenceBase(ctx.providerConfig?.baseUrl ?? own(ctx.config)?.baseUrl);
  const models = await discoverLmstudioModels({ baseUrl, apiKey, headers, quiet: true });
  return models.map((model) => ({ ...model, provider: LMSTUDIO_PROVIDER_ID, api: ctx.providerConfig?.api ?? 'openai-completions', baseUrl }));
}
