// Wrappers around a model's stream that change what is sent.
import { isProxyReasoningUnsupportedModelHint, isGoogleGemini25ThinkingBudgetModel, isGoogleGemini3FlashModel, isGoogleGemini3ProModel, isGoogleGemini3ThinkingLevelModel, isGoogleThinkingRequiredModel } from './id.js';
import { isRecord, normalizeLowercaseStringOrEmpty } from '../strings.js';

/** Stands for the transport when the host gave none. */
export const noTransport = () => {
  throw Object.assign(new Error('a stream wrapper was called without a transport; hand `streamFn` of the hook to it'), { code: 'NOT_BUILT' });
};

/** Applies wrappers from the first to the last. @param {Function | undefined} base @param {...(Function | null | undefined | false)} wrappers @returns {Function | undefined} */
export const composeProviderStreamWrappers = (base, ...wrappers) => wrappers.filter(Boolean).reduce((stream, wrap) => wrap(stream), base);

/** Calls a stream and changes its payload on the way. @param {Function} underlying @param {object} model @param {object} context @param {object | undefined} options @param {(payload: object) => void} patch */
export const streamWithPayloadPatch = (underlying, model, context, options, patch) =>
  underlying(model, context, {
    ...options,
    onPayload(payload, ...rest) {
      if (payload && typeof payload === 'object') patch(payload);
      return options?.onPayload?.(payload, rest[0] ?? model);
    },
  });

/** A stream whose payload is changed. @param {Function | undefined} base @param {(change: { payload: any, model: object, context: object, options?: object }) => void} patch @param {{ shouldPatch?: Function }} [settings] */
export function createPayloadPatchStreamWrapper(base, patch, settings) {
  const underlying = base ?? noTransport;
  return (model, context, options) => {
    if (settings?.shouldPatch && !settings.shouldPatch({ model, context, options })) return underlying(model, context, options);
    return streamWithPayloadPatch(underlying, model, context, options, (payload) => patch({ payload, model, context, options }));
  };
}

/** Asks for tool calls in parts. @param {Function | undefined} base @param {boolean} [enabled] */
export const createToolStreamWrapper = (base, enabled) =>
  createPayloadPatchStreamWrapper(base, ({ payload }) => void (payload.tool_stream = true), { shouldPatch: () => Boolean(enabled) });
export const createZaiToolStreamWrapper = createToolStreamWrapper;
/** Parameters with `tool_stream` on unless it is set. @param {object} [params] @returns {object} */
export const defaultToolStreamExtraParams = (params) => (params?.tool_stream === undefined ? { ...params, tool_stream: true } : params);

/** Whether thinking is on for an interface like OpenAI's. @param {{ options?: object, thinkingLevel?: string }} params @returns {boolean} */
export function isOpenAICompatibleThinkingEnabled({ options, thinkingLevel }) {
  const level = options?.reasoningEffort ?? options?.reasoning ?? thinkingLevel ?? 'high';
  return typeof level !== 'string' || !['off', 'none'].includes(level.trim().toLowerCase());
}
export const isProxyReasoningUnsupported = isProxyReasoningUnsupportedModelHint;

/** Marks what Anthropic may cache for a short time, in place. @param {{ messages?: unknown }} payload */
export function applyAnthropicEphemeralCacheControlMarkers({ messages }) {
  if (!Array.isArray(messages)) return;
  const isThinking = (block) => ['thinking', 'redacted_thinking'].includes(block.type);
  for (const message of messages) {
    const { content } = message;
    if (message.role === 'system' || message.role === 'developer') {
      const last = Array.isArray(content) ? content.at(-1) : undefined;
      if (typeof content === 'string') message.content = [{ type: 'text', text: content, cache_control: { type: 'ephemeral' } }];
      else if (last && typeof last === 'object' && !isThinking(last)) last.cache_control = { type: 'ephemeral' };
    } else if (message.role === 'assistant' && Array.isArray(content)) {
      for (const block of content) if (block && typeof block === 'object' && isThinking(block)) delete block.cache_control;
    }
  }
}

const callsTools = ({ tool_calls: calls, content }) =>
  (Array.isArray(calls) && calls.length > 0) || (Array.isArray(content) && content.some((block) => ['tool_use', 'toolCall'].includes(block?.type)));

/** Removes answers at the end that a thinking model would refuse; how many. @param {object} payload @returns {number} */
export function stripTrailingAnthropicAssistantPrefillWhenThinking({ thinking, messages }) {
  if (!thinking || typeof thinking !== 'object' || thinking.type === 'disabled' || !Array.isArray(messages)) return 0;
  let removed = 0;
  for (let last = messages.at(-1); last && typeof last === 'object' && last.role === 'assistant' && !callsTools(last); last = messages.at(-1)) {
    messages.pop();
    removed++;
  }
  return removed;
}
/** The same as a wrapper. @param {Function | undefined} base @param {(count: number) => void} [onStripped] @param {object} [settings] */
export const createAnthropicThinkingPrefillPayloadWrapper = (base, onStripped, settings) =>
  createPayloadPatchStreamWrapper(base, ({ payload }) => {
    const count = stripTrailingAnthropicAssistantPrefillWhenThinking(payload);
    if (count > 0) onStripped?.(count);
  }, settings);

/** Thinking of DeepSeek V4. @param {{ baseStreamFn?: Function, thinkingLevel?: string, shouldPatchModel: (model: object) => boolean, resolveReasoningEffort?: (level?: string) => string }} params */
export function createDeepSeekV4OpenAICompatibleThinkingWrapper({ baseStreamFn, thinkingLevel, shouldPatchModel, resolveReasoningEffort }) {
  if (!baseStreamFn) return undefined;
  const off = ['off', 'none'].includes(String(thinkingLevel ?? '').toLowerCase());
  const effort = resolveReasoningEffort ?? ((level) => (level === 'xhigh' || level === 'max' ? 'max' : 'high'));
  const patch = ({ payload }) => {
    const messages = Array.isArray(payload.messages) ? payload.messages.filter((message) => message && typeof message === 'object') : [];
    payload.thinking = { type: off ? 'disabled' : 'enabled' };
    if (off) {
      delete payload.reasoning_effort;
      delete payload.reasoning;
      for (const message of messages) delete message.reasoning_content;
      return;
    }
    payload.reasoning_effort = effort(thinkingLevel);
    for (const message of messages) if (message.role === 'assistant' && !('reasoning_content' in message)) message.reasoning_content = '';
  };
  return createPayloadPatchStreamWrapper(baseStreamFn, patch, { shouldPatch: ({ model }) => shouldPatchModel(model) });
}

const GEMINI_PRO = { off: 'LOW', minimal: 'LOW', low: 'LOW', medium: 'HIGH', high: 'HIGH', max: 'HIGH', xhigh: 'HIGH' };
const GEMINI_FLASH = { off: 'MINIMAL', minimal: 'MINIMAL', low: 'LOW', medium: 'MEDIUM', high: 'HIGH', max: 'HIGH', xhigh: 'HIGH' };

/** The level of thinking of a Gemini 3 model. @param {{ modelId?: string, thinkingLevel?: string, thinkingBudget?: number }} params @returns {string | undefined} */
export function resolveGoogleGemini3ThinkingLevel({ modelId, thinkingLevel, thinkingBudget: budget }) {
  const pro = typeof modelId === 'string' && isGoogleGemini3ProModel(modelId);
  if (!pro && !(typeof modelId === 'string' && isGoogleGemini3FlashModel(modelId))) return undefined;
  const named = Object.hasOwn(pro ? GEMINI_PRO : GEMINI_FLASH, thinkingLevel ?? '') ? (pro ? GEMINI_PRO : GEMINI_FLASH)[thinkingLevel] : undefined;
  if (named || thinkingLevel === 'adaptive' || typeof budget !== 'number' || budget < 0) return named;
  if (pro) return budget <= 2048 ? 'LOW' : 'HIGH';
  return budget <= 0 ? 'MINIMAL' : budget <= 2048 ? 'LOW' : budget <= 8192 ? 'MEDIUM' : 'HIGH';
}

/** Removes a budget of nothing where thinking is required. @param {{ thinkingConfig: object, modelId?: string }} params @returns {boolean} whether it did */
export function stripInvalidGoogleThinkingBudget({ thinkingConfig, modelId }) {
  if (thinkingConfig.thinkingBudget !== 0 || typeof modelId !== 'string' || !isGoogleThinkingRequiredModel(modelId)) return false;
  delete thinkingConfig.thinkingBudget;
  return true;
}

const GEMMA = { minimal: 'MINIMAL', low: 'MINIMAL', medium: 'HIGH', adaptive: 'HIGH', high: 'HIGH', max: 'HIGH', xhigh: 'HIGH' };
function patchGemma(config, level) {
  const given = typeof config.thinkingLevel === 'string' ? { MINIMAL: 'MINIMAL', LOW: 'MINIMAL', MEDIUM: 'HIGH', HIGH: 'HIGH' }[config.thinkingLevel.trim().toUpperCase()] : undefined;
  const named = GEMMA[level];
  const budget = config.thinkingBudget;
  delete config.thinkingBudget;
  const off = level === 'off' || (typeof budget === 'number' && budget <= 0 && !named && !given);
  if (off) delete config.thinkingLevel;
  else if (named ?? given ?? (budget !== undefined)) config.thinkingLevel = named ?? given ?? 'MINIMAL';
  return off;
}

/** Changes a setting; whether it may be left out when nothing is left of it. */
function patchThinkingConfig(config, modelId, level) {
  if (normalizeLowercaseStringOrEmpty(modelId).startsWith('gemma-4')) return patchGemma(config, level);
  const budget = config.thinkingBudget;
  if (level === 'adaptive' && isGoogleGemini25ThinkingBudgetModel(modelId)) {
    delete config.thinkingLevel;
    config.thinkingBudget = -1;
    return false;
  }
  if (isGoogleGemini3ThinkingLevelModel(modelId)) {
    const named = level === 'adaptive' ? undefined : resolveGoogleGemini3ThinkingLevel({ modelId, thinkingLevel: level, thinkingBudget: budget });
    delete config.thinkingBudget;
    if (level === 'adaptive') delete config.thinkingLevel;
    if (named) config.thinkingLevel = named;
    return true;
  }
  if (stripInvalidGoogleThinkingBudget({ thinkingConfig: config, modelId })) return true;
  if (typeof budget !== 'number' || budget >= 0) return false;
  delete config.thinkingBudget;
  return true;
}

/** Makes the thinking settings of a request to Google valid, in place. @param {{ payload: unknown, modelId?: string, thinkingLevel?: string }} params */
export function sanitizeGoogleThinkingPayload({ payload, modelId, thinkingLevel }) {
  for (const container of [payload?.config, payload?.generationConfig]) {
    const config = container?.thinkingConfig;
    if (config && typeof config === 'object' && patchThinkingConfig(config, modelId, thinkingLevel) && Object.keys(config).length === 0) delete container.thinkingConfig;
  }
}
/** The same as a wrapper. @param {Function | undefined} base @param {string} [thinkingLevel] */
export const createGoogleThinkingPayloadWrapper = (base, thinkingLevel) =>
  createPayloadPatchStreamWrapper(base, ({ payload, model }) => {
    if (model.api === 'google-generative-ai') sanitizeGoogleThinkingPayload({ payload, modelId: model.id, thinkingLevel });
  });
/** The same from a hook's context. @param {{ streamFn?: Function, thinkingLevel?: string }} ctx */
export const createGoogleThinkingStreamWrapper = (ctx) => createGoogleThinkingPayloadWrapper(ctx.streamFn, ctx.thinkingLevel);

/** `enabled` or `disabled` from any way to write it. */
function moonshotType(value) {
  if (typeof value === 'boolean') return value ? 'enabled' : 'disabled';
  if (isRecord(value)) return moonshotType(value.type);
  const word = normalizeLowercaseStringOrEmpty(value);
  if (['enabled', 'enable', 'on', 'true'].includes(word)) return 'enabled';
  return ['disabled', 'disable', 'off', 'false'].includes(word) ? 'disabled' : undefined;
}
/** Whether a Moonshot model thinks. @param {{ configuredThinking?: unknown, thinkingLevel?: string }} params @returns {'enabled' | 'disabled' | undefined} */
export const resolveMoonshotThinkingType = ({ configuredThinking, thinkingLevel }) =>
  moonshotType(configuredThinking) ?? (thinkingLevel ? (thinkingLevel === 'off' ? 'disabled' : 'enabled') : undefined);

/** Thinking of Moonshot models, which allows no forced tool. @param {Function | undefined} base @param {string} [thinkingType] @param {string} [thinkingKeep] */
export const createMoonshotThinkingWrapper = (base, thinkingType, thinkingKeep) => {
  const stream = createPayloadPatchStreamWrapper(base, ({ payload }) => {
    let type = moonshotType(payload.thinking);
    if (thinkingType) payload.thinking = { type: (type = thinkingType) };
    const choice = payload.tool_choice;
    const kind = isRecord(choice) ? choice.type : choice;
    if (type === 'enabled' && choice === 'required') payload.tool_choice = 'auto';
    else if (type === 'enabled' && isRecord(choice) && (kind === 'tool' || kind === 'function')) payload.thinking = { type: (type = 'disabled') };
    if (!payload.thinking || typeof payload.thinking !== 'object') return;
    if (payload.model === 'kimi-k2.6' && type === 'enabled' && thinkingKeep === 'all') payload.thinking.keep = 'all';
    else delete payload.thinking.keep;
  });
  return async (...args) => stream(...args);
};
