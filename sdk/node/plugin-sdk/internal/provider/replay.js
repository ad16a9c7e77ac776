// How a transcript is cleaned before it is sent to a model again.
import { normalizeLowercaseStringOrEmpty } from '../strings.js';

const isClaude = (modelId) => normalizeLowercaseStringOrEmpty(modelId).includes('claude');
/** Newer Claude models keep their thinking in the transcript. */
const keepsThinking = (modelId) => /(?:opus|sonnet|haiku)-4|claude-(?:[5-9]|\d{2,})/.test(normalizeLowercaseStringOrEmpty(modelId));
const dropsThinking = (modelId) => isClaude(modelId) && !keepsThinking(modelId);
const RESPONSES = ['openai-responses', 'openai-codex-responses', 'azure-openai-responses'];
const SIGNATURES = () => ({ allowBase64Only: true, includeCamelCase: true });

/** For Anthropic's rules of turns. @param {{ dropThinkingBlocks?: boolean, sanitizeToolCallIds?: boolean, preserveNativeAnthropicToolUseIds?: boolean }} [options] */
export function buildStrictAnthropicReplayPolicy({ dropThinkingBlocks, sanitizeToolCallIds = true, preserveNativeAnthropicToolUseIds } = {}) {
  const ids = { sanitizeToolCallIds: true, toolCallIdMode: 'strict', ...(preserveNativeAnthropicToolUseIds ? { preserveNativeAnthropicToolUseIds: true } : {}) };
  return {
    sanitizeMode: 'full', ...(sanitizeToolCallIds ? ids : {}), preserveSignatures: true, repairToolUseResultPairing: true, validateAnthropicTurns: true,
    allowSyntheticToolResults: true, ...(dropThinkingBlocks ? { dropThinkingBlocks: true } : {}),
  };
}
/** The same by model. @param {string} [modelId] */
export const buildAnthropicReplayPolicyForModel = (modelId) => buildStrictAnthropicReplayPolicy({ dropThinkingBlocks: dropsThinking(modelId) });
/** The same for Anthropic's own service. @param {string} [modelId] */
export const buildNativeAnthropicReplayPolicyForModel = (modelId) =>
  buildStrictAnthropicReplayPolicy({ dropThinkingBlocks: dropsThinking(modelId), preserveNativeAnthropicToolUseIds: true });

/** For interfaces like OpenAI's; `undefined` for others. @param {string} modelApi @param {object} [options] */
export function buildOpenAICompatibleReplayPolicy(modelApi, { sanitizeToolCallIds = true, dropReasoningFromHistory = true, modelId } = {}) {
  const completions = modelApi === 'openai-completions';
  if (!completions && !RESPONSES.includes(modelApi)) return undefined;
  const drops = completions && (dropReasoningFromHistory || /(?:^|[/_:-])gemma[-_]?4(?:$|[/_.:-])/.test(normalizeLowercaseStringOrEmpty(modelId)));
  return {
    ...(sanitizeToolCallIds ? { sanitizeToolCallIds: true, toolCallIdMode: 'strict' } : {}),
    ...(completions ? {} : { allowSyntheticToolResults: true }),
    applyAssistantFirstOrderingFix: completions, validateGeminiTurns: completions, validateAnthropicTurns: completions,
    ...(drops ? { dropReasoningFromHistory: true } : {}),
  };
}

/** For Gemini. */
export const buildGoogleGeminiReplayPolicy = () => ({
  sanitizeMode: 'full', sanitizeToolCallIds: true, toolCallIdMode: 'strict', sanitizeThoughtSignatures: SIGNATURES(), repairToolUseResultPairing: true,
  applyAssistantFirstOrderingFix: true, validateGeminiTurns: true, validateAnthropicTurns: false, allowSyntheticToolResults: true,
});
/** For Gemini behind another interface. @param {string} [modelId] */
export const buildPassthroughGeminiSanitizingReplayPolicy = (modelId) => ({
  applyAssistantFirstOrderingFix: false, validateGeminiTurns: false, validateAnthropicTurns: false,
  ...(normalizeLowercaseStringOrEmpty(modelId).includes('gemini') ? { sanitizeThoughtSignatures: SIGNATURES() } : {}),
});
/** For providers that speak both interfaces. @param {{ modelApi?: string, modelId?: string }} ctx @param {{ anthropicModelDropThinkingBlocks?: boolean }} [options] */
export function buildHybridAnthropicOrOpenAIReplayPolicy({ modelApi, modelId }, { anthropicModelDropThinkingBlocks } = {}) {
  if (modelApi !== 'anthropic-messages' && modelApi !== 'bedrock-converse-stream') return buildOpenAICompatibleReplayPolicy(modelApi, { modelId });
  return buildStrictAnthropicReplayPolicy({ dropThinkingBlocks: anthropicModelDropThinkingBlocks && dropsThinking(modelId) });
}
export const resolveTaggedReasoningOutputMode = () => 'tagged';

/** Hook members by family of provider. @param {{ family: string, sanitizeToolCallIds?: boolean, dropReasoningFromHistory?: boolean, anthropicModelDropThinkingBlocks?: boolean }} options */
export function buildProviderReplayFamilyHooks(options) {
  const { family, sanitizeToolCallIds, dropReasoningFromHistory, anthropicModelDropThinkingBlocks } = options;
  const hooks = {
    'openai-compatible': { buildReplayPolicy: ({ modelApi, modelId }) => buildOpenAICompatibleReplayPolicy(modelApi, { sanitizeToolCallIds, dropReasoningFromHistory, modelId }) },
    'anthropic-by-model': { buildReplayPolicy: ({ modelId }) => buildAnthropicReplayPolicyForModel(modelId) },
    'native-anthropic-by-model': { buildReplayPolicy: ({ modelId }) => buildNativeAnthropicReplayPolicyForModel(modelId) },
    'google-gemini': {
      buildReplayPolicy: () => buildGoogleGeminiReplayPolicy(),
      sanitizeReplayHistory: (ctx) => sanitizeGoogleGeminiReplayHistory(ctx),
      resolveReasoningOutputMode: () => resolveTaggedReasoningOutputMode(),
    },
    'passthrough-gemini': { buildReplayPolicy: ({ modelId }) => buildPassthroughGeminiSanitizingReplayPolicy(modelId) },
    'hybrid-anthropic-openai': { buildReplayPolicy: (ctx) => buildHybridAnthropicOrOpenAIReplayPolicy(ctx, { anthropicModelDropThinkingBlocks }) },
  };
  if (!Object.hasOwn(hooks, family)) throw new Error('Unsupported provider replay family');
  return hooks[family];
}
export const ANTHROPIC_BY_MODEL_REPLAY_HOOKS = buildProviderReplayFamilyHooks({ family: 'anthropic-by-model' });
export const NATIVE_ANTHROPIC_REPLAY_HOOKS = buildProviderReplayFamilyHooks({ family: 'native-anthropic-by-model' });
export const OPENAI_COMPATIBLE_REPLAY_HOOKS = buildProviderReplayFamilyHooks({ family: 'openai-compatible' });
export const PASSTHROUGH_GEMINI_REPLAY_HOOKS = buildProviderReplayFamilyHooks({ family: 'passthrough-gemini' });

const MARKER = 'google-turn-ordering-bootstrap';
const BOOTSTRAP_TEXT = '(session bootstrap)';

/** A history that begins with the user, as Gemini wants it. @param {{ messages: object[], sessionState?: object }} ctx @returns {object[]} */
export function sanitizeGoogleGeminiReplayHistory({ messages, sessionState }) {
  const first = messages[0];
  if (first?.role !== 'assistant') return messages;
  if (sessionState && !sessionState.getCustomEntries().some((entry) => entry.customType === MARKER)) {
    sessionState.appendCustomEntry(MARKER, { timestamp: Date.now() });
  }
  return [{ role: 'user', content: BOOTSTRAP_TEXT, timestamp: Date.now() }, ...messages];
}
