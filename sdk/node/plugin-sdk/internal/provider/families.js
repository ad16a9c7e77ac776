// Hooks of providers by family: which wrappers their streams get.
import {
  createCodexNativeWebSearchWrapper, createOpenAIAttributionHeadersWrapper, createOpenAIFastModeWrapper, createOpenAIReasoningCompatibilityWrapper, createOpenAIResponsesContextManagementWrapper,
  createOpenAIServiceTierWrapper, createOpenAIStringContentWrapper, createOpenAITextVerbosityWrapper, createOpenAIThinkingLevelWrapper, resolveOpenAIFastMode, resolveOpenAIServiceTier, resolveOpenAITextVerbosity,
} from './openai-payload.js';
import { composeProviderStreamWrappers, createGoogleThinkingStreamWrapper, createMoonshotThinkingWrapper, createToolStreamWrapper, isProxyReasoningUnsupported, resolveMoonshotThinkingType } from './payloads.js';
import { createKilocodeWrapper, createMinimaxFastModeWrapper, createOpenRouterWrapper } from './proxies.js';

const levelFor = (ctx, automatic) => (ctx.modelId === automatic || isProxyReasoningUnsupported(ctx.modelId) ? undefined : ctx.thinkingLevel);

function openai({ streamFn, extraParams, thinkingLevel, config, agentDir }) {
  const [tier, verbosity] = [resolveOpenAIServiceTier(extraParams), resolveOpenAITextVerbosity(extraParams)];
  return composeProviderStreamWrappers(
    createOpenAIAttributionHeadersWrapper(streamFn),
    resolveOpenAIFastMode(extraParams) && createOpenAIFastModeWrapper,
    tier && ((stream) => createOpenAIServiceTierWrapper(stream, tier)),
    verbosity && ((stream) => createOpenAITextVerbosityWrapper(stream, verbosity)),
    (stream) => createCodexNativeWebSearchWrapper(stream, { config, agentDir }),
    createOpenAIStringContentWrapper,
    (stream) => createOpenAIThinkingLevelWrapper(stream, thinkingLevel),
    createOpenAIReasoningCompatibilityWrapper,
    (stream) => createOpenAIResponsesContextManagementWrapper(stream, extraParams),
  );
}

const FAMILIES = {
  'google-thinking': createGoogleThinkingStreamWrapper,
  'moonshot-thinking': ({ streamFn, extraParams, thinkingLevel }) => {
    const keep = String(extraParams?.thinking?.keep ?? '').trim().toLowerCase() === 'all' ? 'all' : undefined;
    return createMoonshotThinkingWrapper(streamFn, resolveMoonshotThinkingType({ configuredThinking: extraParams?.thinking, thinkingLevel }), keep);
  },
  'kilocode-thinking': (ctx) => createKilocodeWrapper(ctx.streamFn, levelFor(ctx, 'kilo/auto')),
  'minimax-fast-mode': ({ streamFn, extraParams }) => createMinimaxFastModeWrapper(streamFn, extraParams?.fastMode === true),
  'openai-responses-defaults': openai,
  'openrouter-thinking': (ctx) => createOpenRouterWrapper(ctx.streamFn, levelFor(ctx, 'auto'), ctx.extraParams),
  'tool-stream-default-on': ({ streamFn, extraParams }) => createToolStreamWrapper(streamFn, extraParams?.tool_stream !== false),
};

/** The hooks of a family. @param {string} family @returns {{ wrapStreamFn: (ctx: object) => Function }} */
export function buildProviderStreamFamilyHooks(family) {
  if (!Object.hasOwn(FAMILIES, family)) throw new Error('Unsupported provider stream family');
  return { wrapStreamFn: FAMILIES[family] };
}
export const GOOGLE_THINKING_STREAM_HOOKS = buildProviderStreamFamilyHooks('google-thinking');
export const KILOCODE_THINKING_STREAM_HOOKS = buildProviderStreamFamilyHooks('kilocode-thinking');
export const MINIMAX_FAST_MODE_STREAM_HOOKS = buildProviderStreamFamilyHooks('minimax-fast-mode');
export const MOONSHOT_THINKING_STREAM_HOOKS = buildProviderStreamFamilyHooks('moonshot-thinking');
export const OPENAI_RESPONSES_STREAM_HOOKS = buildProviderStreamFamilyHooks('openai-responses-defaults');
export const OPENROUTER_THINKING_STREAM_HOOKS = buildProviderStreamFamilyHooks('openrouter-thinking');
export const TOOL_STREAM_DEFAULT_ON_HOOKS = buildProviderStreamFamilyHooks('tool-stream-default-on');
