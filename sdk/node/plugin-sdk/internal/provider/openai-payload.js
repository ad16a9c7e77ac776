// What requests in OpenAI's forms carry: reasoning, storage, tiers, the search of Codex.
import { createSubsystemLogger } from '../host.js';
import { isRecord, normalizeLowercaseStringOrEmpty } from '../strings.js';
import { resolveProviderRequestCapabilities } from './endpoints.js';
import { createPayloadPatchStreamWrapper, noTransport } from './payloads.js';
import { resolveProviderRequestPolicyConfig } from './request.js';

const RESPONSES = ['openai-responses', 'openai-codex-responses', 'azure-openai-responses'];
const text = (value) => (typeof value === 'string' ? value : undefined);
const inputOf = (model) => ({ provider: text(model.provider), api: text(model.api), baseUrl: text(model.baseUrl), compat: isRecord(model.compat) ? model.compat : undefined, capability: 'llm', transport: 'stream' });
const capabilitiesOf = (model) => resolveProviderRequestCapabilities(inputOf(model));

/** Reasoning efforts by model; the first pattern that fits holds. */
const EFFORTS = [
  [/^gpt-5\.1-codex-mini$/, 'medium'], [/^gpt-5\.1-codex-max$/, 'none medium high xhigh'], [/^gpt-5(?:\.\d+)?-codex(?:-|$)/, 'low medium high xhigh'],
  [/^gpt-5-pro$/, 'high'], [/^gpt-5\.[2-9](?:\.\d+)?-pro(?:-|$)/, 'medium high xhigh'], [/^gpt-5\.[2-9](?:\.\d+)?(?:-|$)/, 'none low medium high xhigh'],
  [/^gpt-5\.1(?:-|$)/, 'none low medium high'], [/^gpt-5(?:-|$)/, 'minimal low medium high'], [/^/, 'low medium high'],
];
function effortsOf(model) {
  const own = isRecord(model.compat) && Array.isArray(model.compat.supportedReasoningEfforts) ? model.compat.supportedReasoningEfforts.map((value) => text(value)?.trim()).filter(Boolean) : [];
  if (own.length > 0) return own;
  const id = normalizeLowercaseStringOrEmpty(model.id).replace(/-\d{4}-\d{2}-\d{2}$/, '');
  const row = EFFORTS.findIndex(([pattern]) => pattern.test(id));
  const codex = normalizeLowercaseStringOrEmpty(model.provider) === 'openai-codex';
  return EFFORTS[codex && row > 2 ? 2 : row][1].split(' ');
}

const positive = (value) => {
  const number = typeof value === 'string' ? Number.parseInt(value, 10) : value;
  return Number.isFinite(number) && number > 0 ? Math.floor(number) : undefined;
};

/** What a Responses request may carry. */
function responsesPolicy(model, { storeMode, extraParams, stripPromptCache, compacts }) {
  const known = capabilitiesOf(model);
  const responses = RESPONSES.includes(normalizeLowercaseStringOrEmpty(model.api));
  const off = known.supportsResponsesStoreField ? false : undefined;
  const store = storeMode === 'preserve' ? undefined : storeMode === 'disable' ? off : known.allowsResponsesStore ? true : undefined;
  const wish = extraParams?.responsesServerCompaction;
  return {
    store,
    dropStore: store !== true && responses && isRecord(model.compat) && model.compat.supportsStore === false,
    dropPromptCache: stripPromptCache && known.shouldStripResponsesPromptCache,
    dropDisabledReasoning: responses && (!known.usesKnownNativeOpenAIRoute || !effortsOf(model).includes('none')),
    compacts: compacts && wish !== false && store === true && (wish === true || model.provider === 'openai'),
    threshold: positive(extraParams?.responsesCompactThreshold) ?? (positive(model.contextWindow) ? Math.max(1000, Math.floor(model.contextWindow * 0.7)) : 80_000),
  };
}
const changesAnything = (policy) => policy.store !== undefined || policy.dropStore || policy.dropPromptCache || policy.dropDisabledReasoning || policy.compacts;

function applyResponsesPolicy(payload, policy) {
  if (policy.store !== undefined) payload.store = policy.store;
  if (policy.dropStore) delete payload.store;
  if (policy.dropPromptCache) for (const key of ['prompt_cache_key', 'prompt_cache_retention']) delete payload[key];
  if (policy.compacts) payload.context_management ??= [{ type: 'compaction', compact_threshold: policy.threshold }];
  if (policy.dropDisabledReasoning && (payload.reasoning === 'none' || payload.reasoning?.effort === 'none')) delete payload.reasoning;
}

/** Reasoning as a service of OpenAI takes it. @param {Function | undefined} base */
export const createOpenAIReasoningCompatibilityWrapper = (base) =>
  createPayloadPatchStreamWrapper(base, ({ payload, model }) => applyResponsesPolicy(payload, responsesPolicy(model, { storeMode: 'preserve' })), {
    shouldPatch: ({ model }) => capabilitiesOf(model).supportsOpenAIReasoningCompatPayload,
  });

/** Storage, prompt cache and compaction on the server. @param {Function | undefined} base @param {object} [extraParams] */
export const createOpenAIResponsesContextManagementWrapper = (base, extraParams) => {
  const policyOf = (model) => responsesPolicy(model, { storeMode: 'provider-policy', extraParams, stripPromptCache: true, compacts: true });
  return createPayloadPatchStreamWrapper(base, ({ payload, model }) => applyResponsesPolicy(payload, policyOf(model)), { shouldPatch: ({ model }) => changesAnything(policyOf(model)) });
};

const tiered = ({ model }) => capabilitiesOf(model).allowsOpenAIServiceTier;
/** A service tier unless the request names one. @param {Function | undefined} base @param {string} serviceTier */
export const createOpenAIServiceTierWrapper = (base, serviceTier) =>
  createPayloadPatchStreamWrapper(base, ({ payload }) => void (payload.service_tier ??= serviceTier), { shouldPatch: tiered });
/** Fast mode: the priority tier. @param {Function | undefined} base */
export const createOpenAIFastModeWrapper = (base) => createOpenAIServiceTierWrapper(base, 'priority');

/** How long answers are. @param {Function | undefined} base @param {string} verbosity */
export const createOpenAITextVerbosityWrapper = (base, verbosity) =>
  createPayloadPatchStreamWrapper(
    base,
    ({ payload, model }) => {
      const latest = model.api === 'openai-responses' && normalizeLowercaseStringOrEmpty(model.provider) === 'openai' && normalizeLowercaseStringOrEmpty(model.id) === 'chat-latest';
      const wanted = latest ? 'medium' : verbosity;
      const own = payload.text && typeof payload.text === 'object' ? payload.text : {};
      if (model.api === 'openai-codex-responses' || wanted !== verbosity || own.verbosity === undefined) payload.text = { ...own, verbosity: wanted };
    },
    { shouldPatch: ({ model }) => model.api === 'openai-responses' || model.api === 'openai-codex-responses' },
  );

/** The way of transport unless the call names one. @param {Function | undefined} base */
export const createOpenAIDefaultTransportWrapper = (base) => (model, context, options) =>
  (base ?? noTransport)(model, context, { ...options, transport: options?.transport ?? 'auto' });

/** The headers by which OpenAI knows the program. @param {Function | undefined} base @param {{ codexNativeTransportStreamFn?: Function }} [options] */
export const createOpenAIAttributionHeadersWrapper = (base, options) => (model, context, call) => {
  const provider = capabilitiesOf(model).attributionProvider;
  if (provider !== 'openai' && provider !== 'openai-codex') return (base ?? noTransport)(model, context, call);
  const { headers } = resolveProviderRequestPolicyConfig({ ...inputOf(model), provider, callerHeaders: call?.headers, precedence: 'defaults-win' });
  const stream = base ?? (provider === 'openai-codex' ? options?.codexNativeTransportStreamFn : undefined) ?? noTransport;
  return stream(model, context, { ...call, headers });
};

/** A value of a parameter under either name; what is not known is told in the log. */
function parameter(params, names, read) {
  const raw = names.map((name) => params?.[name]).find((value) => value !== undefined && value !== null);
  const value = read(raw);
  if (raw !== undefined && value === undefined) createSubsystemLogger('provider').warn(`the parameter \`${names[0]}\` has no such value and is ignored`);
  return value;
}
const oneOf = (...words) => (value) => (words.includes(normalizeLowercaseStringOrEmpty(value)) ? normalizeLowercaseStringOrEmpty(value) : undefined);
function fast(value) {
  if (typeof value === 'boolean') return value;
  const word = normalizeLowercaseStringOrEmpty(value);
  if (['on', 'true', 'yes', '1', 'fast'].includes(word)) return true;
  return ['off', 'false', 'no', '0', 'normal'].includes(word) ? false : undefined;
}
/** Fast mode of parameters. @param {object} [params] @returns {boolean | undefined} */
export const resolveOpenAIFastMode = (params) => parameter(params, ['fastMode', 'fast_mode'], fast);
/** The service tier of parameters. @param {object} [params] @returns {string | undefined} */
export const resolveOpenAIServiceTier = (params) => parameter(params, ['serviceTier', 'service_tier'], oneOf('auto', 'default', 'flex', 'priority'));
/** The verbosity of parameters. @param {object} [params] @returns {string | undefined} */
export const resolveOpenAITextVerbosity = (params) => parameter(params, ['textVerbosity', 'text_verbosity'], oneOf('low', 'medium', 'high'));

/** A level of thinking as an effort. @param {string} level @returns {string} */
export const reasoningEffort = (level) => ({ off: 'none', adaptive: 'medium', max: 'xhigh' })[level] ?? level;
const searches = (tools) => Array.isArray(tools) && tools.some((tool) => tool?.type === 'web_search' || (tool?.type === 'function' && (tool.name ?? tool.function?.name) === 'web_search'));

/** Search on the server does not go with the least effort. */
function raiseMinimal(payload, model) {
  if (payload.reasoning?.effort !== 'minimal' || !searches(payload.tools)) return;
  payload.reasoning.effort = ['low', 'medium', 'high', 'xhigh'].find((effort) => effortsOf(model).includes(effort)) ?? 'minimal';
}

/** The effort of a level of thinking. @param {Function | undefined} base @param {string} [level] */
export function createOpenAIThinkingLevelWrapper(base, level) {
  if (!level) return base ?? noTransport;
  const patch = ({ payload, model }) => {
    if (!capabilitiesOf(model).supportsOpenAIReasoningCompatPayload) return level === 'off' ? undefined : raiseMinimal(payload, model);
    if (level === 'off') return void delete payload.reasoning;
    if (payload.reasoning === 'none') payload.reasoning = {};
    if (!isRecord(payload.reasoning)) return undefined;
    payload.reasoning.effort = reasoningEffort(level);
    return raiseMinimal(payload, model);
  };
  return createPayloadPatchStreamWrapper(base, patch);
}

const flat = (content) => (Array.isArray(content) && content.every((part) => part?.type === 'text' && typeof part.text === 'string') ? content.map((part) => part.text).join('\n') : content);
/** Text parts as one text for services that take no parts. @param {Function | undefined} base */
export const createOpenAIStringContentWrapper = (base) =>
  createPayloadPatchStreamWrapper(
    base,
    ({ payload }) => {
      if (Array.isArray(payload.messages)) payload.messages = payload.messages.map((message) => (isRecord(message) ? { ...message, content: flat(message.content) } : message));
    },
    { shouldPatch: ({ model }) => model.api === 'openai-completions' && model.compat?.requiresStringContent === true },
  );

const trimmed = (value) => text(value)?.trim() || undefined;
/** The search tool of Codex as configuration describes it. */
function codexSearchTool(settings) {
  const domains = Array.isArray(settings.allowedDomains) ? [...new Set(settings.allowedDomains.map(trimmed).filter(Boolean))] : [];
  const place = isRecord(settings.userLocation) ? Object.fromEntries(['country', 'region', 'city', 'timezone'].map((key) => [key, trimmed(settings.userLocation[key])]).filter(([, value]) => value)) : {};
  return {
    type: 'web_search',
    external_web_access: settings.mode === 'live',
    ...(domains.length > 0 ? { filters: { allowed_domains: domains } } : {}),
    ...(['low', 'medium', 'high'].includes(settings.contextSize) ? { search_context_size: settings.contextSize } : {}),
    ...(Object.keys(place).length > 0 ? { user_location: { type: 'approximate', ...place } } : {}),
  };
}
/** Lets Codex search the web itself when configuration says so. @param {Function | undefined} base @param {{ config?: object, agentDir?: string, hasCodexAuth?: () => boolean }} params */
export function createCodexNativeWebSearchWrapper(base, { config, hasCodexAuth }) {
  const search = config?.tools?.web?.search;
  const settings = search?.openaiCodex;
  const signedIn = () => Object.values(config?.auth?.profiles ?? {}).some((profile) => profile?.provider === 'openai-codex') || Boolean(hasCodexAuth?.());
  const active = ({ model }) =>
    search?.enabled !== false && settings?.enabled === true &&
    (model.provider === 'openai-codex' ? signedIn() : model.api === 'openai-codex-responses');
  return createPayloadPatchStreamWrapper(
    base,
    ({ payload }) => {
      const tools = Array.isArray(payload.tools) ? payload.tools : [];
      if (!tools.some((tool) => tool?.type === 'web_search')) payload.tools = [...tools, codexSearchTool(settings)];
    },
    { shouldPatch: active },
  );
}
