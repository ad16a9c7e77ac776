// Providers: ids, endpoints, requests, errors, replay, payloads.
import { pick, random, scalar, text } from './kit.mjs';

const provider = () => pick(['openai', 'openai-codex', 'openrouter', 'anthropic', 'google', 'z.ai', 'Kimi-Code', 'moonshot', 'qwen', 'mistral', 'xai', 'lmstudio', 'azure-openai', 'custom', '', undefined, 'deepseek', 'groq']);
const url = () => pick([undefined, '', 'https://api.openai.com/v1', 'api.openai.com', 'https://chatgpt.com/backend-api', 'https://eu.openrouter.ai/api/v1/', 'http://localhost:1234', 'http://box.local/v1', 'https://api.moonshot.cn/v1', 'https://api.moonshot.cn/v2', 'https://europe-west1-aiplatform.googleapis.com', 'https://aiplatform.googleapis.com', 'https://x.openai.azure.com', 'nonsense ://', 'https://dashscope.aliyuncs.com/compatible-mode/v1/', 'https://api.anthropic.com/v1', 'https://my.proxy/v1', 'https://api.githubcopilot.com']);
const api = () => pick([undefined, 'openai-completions', 'openai-responses', 'openai-codex-responses', 'anthropic-messages', 'google-generative-ai', 'bedrock-converse-stream']);
const modelId = () => pick([undefined, 'claude-opus-4-7', 'claude-sonnet-4.6', 'claude-3-5-sonnet', 'claude-5', 'gpt-5.5', 'openai/gpt-5', 'x-ai/grok', 'gemini-2.5-pro', 'gemini-2.5-flash', 'gemini-3-pro', 'google/gemini-3-flash', 'gemini-3.1-flash-lite', 'gemma-4-27b', 'org/gemma4', 'kimi-k2.6', 'gemini-pro-latest']);
const known = () => modelId() ?? 'gpt-5.5';
const level = () => pick([undefined, 'off', 'minimal', 'low', 'medium', 'high', 'xhigh', 'max', 'adaptive']);
const compat = () => pick([undefined, {}, { supportsStore: false, supportsPromptCacheKey: true }, { supportsPromptCacheKey: false, supportsDeveloperRole: true, supportsUsageInStreaming: false, supportsStrictMode: true }, { unsupportedToolSchemaKeywords: [' a ', '', 3], toolSchemaProfile: 'xai', nativeWebSearchTool: true, toolCallArgumentsEncoding: 'x' }]);
const model = () => ({ id: known(), provider: provider(), api: api(), baseUrl: url(), compat: compat() });
const request = () => pick([undefined, { headers: { 'X-A': ' b ', 'x-a': 'c', n: 3 }, allowPrivateNetwork: pick([undefined, true, false]) }, { auth: { mode: 'authorization-bearer', token: ' t ' } }, { auth: { mode: 'header', headerName: 'X-Key', value: 'v', prefix: 'P ' } }, { proxy: { mode: 'explicit-proxy', url: ' http://p ', tls: { ca: 'c', serverName: 's' } }, tls: { insecureSkipVerify: false, cert: ' x ' } }, { proxy: { mode: 'env-proxy' } }, { tls: { insecureSkipVerify: true } }, { auth: { mode: 'header', headerName: '', value: 'v' } }]);
const payload = () => pick([undefined, null, 'x', { error: { message: text(), type: text(), code: scalar() } }, { detail: { message: 'd' } }, { message: 'm', status: 's' }, { error: 'plain' }, { detail: 'y'.repeat(400) }, []]);
const thinking = () => ({ [pick(['config', 'generationConfig'])]: { thinkingConfig: { ...pick([{}, { thinkingBudget: pick([-1, 0, 100, 4000, 9000]) }, { thinkingLevel: pick(['LOW', 'high', 'x']) }, { includeThoughts: true, thinkingBudget: 0 }]) } } });
const messages = () => [{ role: 'system', content: pick(['s', [{ type: 'text', text: 'a' }], [{ type: 'thinking' }]]) }, { role: 'user', content: 'u' }, { role: 'assistant', content: pick(['a', [{ type: 'thinking', cache_control: {} }, { type: 'text' }], [{ type: 'tool_use' }]]), tool_calls: pick([undefined, [], [{}]]) }];
/** A stream that only shows its payload to the wrapper. */
const passThrough = (model, _context, options) => options.onPayload(model.payload) ?? model.payload;
/** A stream that gives what it was called with. */
const seen = (model, _context, options) => {
  const payload = { messages: [{ role: 'system', content: 's' }], tools: [{ name: 'f', input_schema: { type: 'object' } }, { type: 'web_search' }], tool_choice: { type: 'any' }, reasoning: { effort: 'none' }, store: true, prompt_cache_key: 'k', text: { verbosity: 'x' }, ...structuredClone(model.payload) };
  options.onPayload?.(payload);
  const { version: _version, 'User-Agent': _agent, ...headers } = options.headers ?? {};
  return { id: model.id, payload, headers };
};
const MODELS = ['openai', 'openai-codex', 'openrouter', 'minimax', 'custom'].flatMap((name) => ['openai-responses', 'openai-codex-responses', 'openai-completions', 'anthropic-messages', 'google-generative-ai'].map((kind) => ({ provider: name, api: kind })));
/** What a wrapped stream does for models of several services. */
const everyModel = (stream) => Promise.all(MODELS.flatMap((row) => [undefined, 'https://api.openai.com/v1', 'https://openrouter.ai/api'].map((baseUrl) => stream({ ...row, baseUrl, id: { minimax: 'MiniMax-M2.7', openrouter: 'anthropic/claude' }[row.provider] ?? 'gpt-5.2', contextWindow: 1e5, compat: row.provider === 'custom' ? { supportsStore: false, requiresOpenAiAnthropicToolPayload: true } : undefined, payload: row.provider === 'openrouter' ? { reasoning: undefined } : { reasoning: { effort: 'minimal' } } }, {}, { headers: { 'X-Own': 'o' } }))));
/** What a wrapped stream made of a payload. */
async function payloadOf(stream, payload, model = {}) {
  const copy = structuredClone(payload);
  await stream({ ...model, payload: copy }, {}, {});
  return copy;
}

/** A service that answers with some allowance. */
function answered() {
  const part = () => pick([undefined, { utilization: pick([undefined, 12.5, 140]), resets_at: pick([undefined, '2026-01-02T03:04:05Z']) }]);
  const window = () => pick([undefined, { limit_window_seconds: pick([undefined, 0, 18_000, 86_400, 604_800]), used_percent: pick([undefined, 20, 'x']), reset_at: pick([undefined, 1_700_000_000, 1_700_500_000]) }]);
  const limit = () => ({ type: pick(['TOKENS_LIMIT', 'TIME_LIMIT', 'x']), unit: pick([1, 3, 5, 9]), number: 5, percentage: pick([undefined, 7, 300]), nextResetTime: pick([undefined, 1_700_000_000_000]) });
  const body = pick([
    {}, { five_hour: part(), seven_day: part(), seven_day_sonnet: part(), seven_day_opus: part() },
    { rate_limit: pick([undefined, { primary_window: window(), secondary_window: window() }]), plan_type: pick([undefined, 'pro']), credits: pick([undefined, { balance: pick([null, 3, '4.5', 'x']) }]) },
    { buckets: Array.from({ length: random(4) }, () => ({ modelId: pick([undefined, 'gemini-2.5-PRO', 'gemini-flash', 'pro-flash']), remainingFraction: pick([undefined, 0.25, 1.5, 0.1]) })) },
    { success: pick([true, false]), code: pick([200, 500]), msg: pick([undefined, ' no ']), data: pick([undefined, { limits: [limit(), limit()], planName: pick([undefined, 'P']), plan: 'Q' }]) },
    { error: { message: pick([undefined, ' scope requirement user:profile ', 3]) } },
  ]);
  const status = pick([200, 200, 200, 401, 403, 500]);
  return async () => new Response(JSON.stringify(body), { status });
}

export default [
  ['provider-model-shared', ['normalizeProviderId', 'isGpt5ModelId', 'normalizeGooglePreviewModelId', 'normalizeAntigravityPreviewModelId', 'isProxyReasoningUnsupportedModelHint', 'isClaudeAdaptiveThinkingDefaultModelId', 'resolveClaudeThinkingProfile'], () => [pick([known(), provider() ?? 'x'])]],
  ['provider-model-shared', ['matchesExactOrPrefix'], () => [known(), ['gpt-5', 'CLAUDE', 'gemini-3-pro']]],
  ['provider-model-shared', ['resolveProviderEndpoint'], () => [url()]],
  ['provider-model-shared', ['normalizeModelCompat'], () => [model()]],
  ['provider-model-shared', ['applyModelCompatPatch'], () => [model(), pick([{}, { nativeWebSearchTool: true }])]],
  ['provider-model-shared', ['hasNativeWebSearchTool', 'resolveToolCallArgumentsEncoding'], () => [pick([model(), compat()])]],
  ['provider-model-shared', ['hasToolSchemaProfile'], () => [pick([model(), compat()]), 'xai']],
  ['provider-model-shared', ['buildStrictAnthropicReplayPolicy'], () => [pick([undefined, { dropThinkingBlocks: true }, { sanitizeToolCallIds: false }, { preserveNativeAnthropicToolUseIds: true }])]],
  ['provider-model-shared', ['buildAnthropicReplayPolicyForModel', 'buildNativeAnthropicReplayPolicyForModel', 'buildPassthroughGeminiSanitizingReplayPolicy'], () => [modelId()]],
  ['provider-model-shared', ['buildOpenAICompatibleReplayPolicy'], () => [api(), pick([undefined, { modelId: modelId(), dropReasoningFromHistory: pick([undefined, false]), sanitizeToolCallIds: pick([undefined, false]) }])]],
  ['provider-model-shared', ['buildHybridAnthropicOrOpenAIReplayPolicy'], () => [{ modelApi: api(), modelId: modelId() }, { anthropicModelDropThinkingBlocks: pick([true, false, undefined]) }]],
  ['provider-model-shared', ['buildGoogleGeminiReplayPolicy', 'resolveTaggedReasoningOutputMode'], () => []],
  ['provider-model-shared', ['resolveMoonshotThinkingType'], () => [{ configuredThinking: pick([undefined, true, 'on', 'DISABLED', { type: 'off' }, 3]), thinkingLevel: level() }]],
  ['provider-http', ['resolveProviderRequestCapabilities'], () => [{ provider: provider(), api: api(), baseUrl: url(), compat: compat() }], ({ policy, attributionHeaders, ...rest }) => ({ ...rest, attributed: attributionHeaders !== undefined, hook: policy?.hook })],
  ['provider-http', ['resolveProviderHttpRequestConfig'], () => [{ provider: provider(), api: api(), baseUrl: url(), defaultBaseUrl: pick([undefined, 'https://d.x/']), headers: pick([undefined, { 'X-Own': '1', 'x-key': 'mine', 'user-agent': 'me' }]), defaultHeaders: pick([undefined, { 'X-Def': 'd' }]), request: request(), allowPrivateNetwork: pick([undefined, true]) }], ({ baseUrl, allowPrivateNetwork, headers, dispatcherPolicy }) => ({ baseUrl, allowPrivateNetwork, dispatcherPolicy, headers: [...headers].filter(([name]) => !['version', 'user-agent'].includes(name)) })],
  ['provider-http', ['sanitizeConfiguredModelProviderRequest'], () => [pick([request(), scalar()])]],
  ['provider-http', ['normalizeBaseUrl'], () => [pick([undefined, '', ' https://a/ ', 'x//']), pick([undefined, 'https://f/'])]],
  ['provider-http', ['formatProviderErrorPayload'], () => [payload()]],
  ['provider-http', ['truncateErrorDetail'], () => [pick(['a', 'b'.repeat(300)]), pick([undefined, 10])]],
  ['provider-http', ['formatProviderHttpErrorMessage'], () => [{ label: 'L', status: 500, detail: pick([undefined, 'd']), requestId: pick([undefined, 'r']), statusPrefix: pick([undefined, 'HTTP ']) }]],
  ['provider-http', ['extractProviderErrorDetail', 'readResponseTextLimited'], () => [new Response(pick(['', ' ', '{"error":{"message":"m"}}', 'plain', 'z'.repeat(500), '{}']))]],
  ['provider-http', ['resolveAudioTranscriptionUploadFileName'], () => [pick([undefined, '', 'a.aac', '/x/b.mp3', '.aac', 'c']), pick([undefined, 'audio/aac', 'audio/mpeg'])]],
  ['provider-http', ['requireTranscriptionText'], () => [pick([undefined, ' ', ' a ']), 'none']],
  ['provider-stream-shared', ['resolveGoogleGemini3ThinkingLevel'], () => [{ modelId: modelId(), thinkingLevel: level(), thinkingBudget: pick([undefined, -1, 0, 100, 4000, 9000]) }]],
  ['provider-stream-shared', ['isOpenAICompatibleThinkingEnabled'], () => [{ thinkingLevel: level(), options: pick([undefined, { reasoning: 'off' }, { reasoningEffort: ' None ' }, { reasoning: {} }]) }]],
  ['provider-stream-shared', ['defaultToolStreamExtraParams'], () => [pick([undefined, { a: 1 }, { tool_stream: false }])]],
  ['provider-stream-shared', ['sanitizeGoogleThinkingPayload'], () => [{ payload: thinking(), modelId: modelId(), thinkingLevel: level() }], (_result, [params]) => params],
  ['provider-stream-shared', ['applyAnthropicEphemeralCacheControlMarkers'], () => [{ messages: messages() }], (_result, args) => args],
  ['provider-stream-shared', ['stripTrailingAnthropicAssistantPrefillWhenThinking'], () => [{ thinking: pick([undefined, { type: 'enabled' }, { type: 'disabled' }]), messages: messages() }], (count, args) => [count, args]],
  ['provider-stream-shared', ['createMoonshotThinkingWrapper'], () => [passThrough, pick([undefined, 'enabled', 'disabled']), pick([undefined, 'all'])], (stream) => Promise.all(['required', 'auto', { type: 'tool' }, undefined].map((tool_choice) => payloadOf(stream, { model: 'kimi-k2.6', thinking: { type: 'enabled', keep: 'x' }, tool_choice })))],
  ['provider-stream-shared', ['createToolStreamWrapper'], () => [passThrough, pick([true, false, undefined])], (stream) => payloadOf(stream, {}, { payload: 1 })],
  ['provider-stream-shared', ['createDeepSeekV4OpenAICompatibleThinkingWrapper'], () => [{ baseStreamFn: passThrough, thinkingLevel: level(), shouldPatchModel: pick([() => true, () => false]) }], (stream) => payloadOf(stream, { reasoning: 1, messages: [{ role: 'assistant' }, { role: 'user', reasoning_content: 'x' }] })],
  ['provider-stream-shared', ['createGoogleThinkingPayloadWrapper'], () => [passThrough, level()], (stream) => payloadOf(stream, { config: { thinkingConfig: { thinkingBudget: -1 } } }, { api: 'google-generative-ai', id: 'gemini-3-pro' })],
  ['provider-stream-shared', ['createAnthropicThinkingPrefillPayloadWrapper'], () => [passThrough], (stream) => payloadOf(stream, { thinking: { type: 'enabled' }, messages: [{ role: 'user' }, { role: 'assistant', content: 'x' }] })],
  ['provider-stream', ['resolveOpenAIFastMode', 'resolveOpenAIServiceTier', 'resolveOpenAITextVerbosity'], () => [pick([undefined, { fastMode: pick([true, 'ON', 'normal', 'x']) }, { service_tier: pick(['flex', ' Priority', 3]) }, { textVerbosity: pick(['low', 'HIGH', 'no']) }])]],
  ['provider-stream', ['resolveAnthropicPayloadPolicy'], () => [{ provider: provider(), api: api(), baseUrl: url(), enableCacheControl: pick([true, false]), cacheRetention: pick([undefined, 'none', 'short', 'long']), serviceTier: pick([undefined, 'auto']) }]],
  ['provider-stream', ['applyAnthropicPayloadPolicyToParams'], () => [{ system: pick([undefined, 'x', [{ type: 'text', text: pick(['a', 'a \n<!-- OPENCLAW_CACHE_BOUNDARY -->\n b']) }, { type: 'other' }]]), messages: [{ role: 'user', content: pick(['u', [{ type: 'text', text: 't' }], [{ type: 'x' }]]) }] }, { allowsServiceTier: pick([true, false]), serviceTier: 'auto', cacheControl: pick([undefined, { type: 'ephemeral' }]) }], (_result, args) => args],
  ...[
    ['createOpenAIReasoningCompatibilityWrapper', () => []],
    ['createOpenAIResponsesContextManagementWrapper', () => [pick([undefined, { responsesServerCompaction: pick([true, false]), responsesCompactThreshold: pick([undefined, '9', 0]) }])]],
    ['createOpenAIServiceTierWrapper', () => ['flex']],
    ['createOpenAIFastModeWrapper', () => []],
    ['createOpenAITextVerbosityWrapper', () => [pick(['low', 'high'])]],
    ['createOpenAIAnthropicToolPayloadCompatibilityWrapper', () => []],
    ['createAnthropicToolPayloadCompatibilityWrapper', () => [pick([undefined, { toolSchemaMode: 'openai-functions' }, { toolChoiceMode: 'openai-string-modes' }])]],
    ['createOpenRouterSystemCacheWrapper', () => []],
    ['createOpenRouterWrapper', () => [level(), pick([undefined, { responseCache: 'on', responseCacheTtl: '5.5' }, { response_cache: false }, { responseCacheClear: true }])]],
    ['createKilocodeWrapper', () => [level()]],
    ['createMinimaxFastModeWrapper', () => [pick([true, false])]],
    ['createCodexNativeWebSearchWrapper', () => [pick([{}, { config: { tools: { web: { search: { enabled: pick([undefined, false]), openaiCodex: { enabled: true, mode: 'live', allowedDomains: ['a', ' '], contextSize: 'low', userLocation: { city: ' B ' } } } } }, auth: pick([undefined, { profiles: { x: { provider: 'openai-codex' } } }]) } }])]],
  ].map(([name, more]) => ['provider-stream', [name], () => [seen, ...more()], (stream) => everyModel(stream), 12]),
  ...['google-thinking', 'moonshot-thinking', 'kilocode-thinking', 'minimax-fast-mode', 'openai-responses-defaults', 'openrouter-thinking', 'tool-stream-default-on'].map((family) => ['provider-stream', ['buildProviderStreamFamilyHooks'], () => [family], ({ wrapStreamFn }) => Promise.all(
    ['off', undefined, 'high', 'minimal', 'adaptive'].map((thinkingLevel) => everyModel(wrapStreamFn({ streamFn: seen, thinkingLevel, modelId: 'gpt-5.2', extraParams: { fastMode: true, thinking: { type: 'enabled', keep: 'all' } } }))),
  ), 3]),
  ['provider-catalog-shared', ['readConfiguredProviderCatalogEntries'], () => [{ providerId: pick(['google', 'z.ai', 'p']), config: pick([undefined, { models: { providers: { zai: { models: [{ id: ' m ', name: pick([undefined, ' N ']), contextWindow: pick([0, 5]), reasoning: true, input: ['text', 'x'] }, { id: '' }, null] }, google: { models: [{ id: 'gemini-3-pro' }, { id: 'google/gemini-3-flash' }] } } } }]), publishedProviderId: pick([undefined, 'q']) }]],
  ['provider-catalog-shared', ['buildManifestModelProviderConfig'], () => [{ providerId: 'p', catalog: pick([undefined, { models: [] }, { baseUrl: 'https://x', api: pick([undefined, 'openai-completions']), headers: pick([undefined, { a: 'b' }]), models: [{ id: 'm', contextWindow: pick([undefined, 5]), maxTokens: 3, cost: pick([undefined, { input: 1 }]), input: pick([undefined, ['text', 'image'], ['document']]), reasoning: pick([undefined, true]) }] }]) }]],
  ['provider-catalog-shared', ['supportsNativeStreamingUsageCompat'], () => [{ providerId: provider() ?? 'p', baseUrl: url() }]],
  ['provider-catalog-shared', ['applyProviderNativeStreamingUsageCompat'], () => [{ providerId: 'moonshot', providerConfig: { baseUrl: url(), models: pick([undefined, [], [{ id: 'a' }, { id: 'b', compat: { supportsUsageInStreaming: false } }]]) } }]],
  ['provider-catalog-shared', ['findCatalogTemplate'], () => [{ entries: [{ provider: 'z.ai', id: 'A' }, { provider: 'x', id: 'b' }], providerId: 'zai', templateIds: [pick(['a', 'b', 'c']), 'a'] }]],
  ['provider-usage', ['clampPercent'], () => [scalar()]],
  ['provider-usage', ['buildUsageHttpErrorSnapshot'], () => [{ provider: pick(['zai', 'minimax', 'x']), status: pick([401, 500]), message: pick([undefined, ' ', ' why ']), tokenExpiredStatuses: pick([undefined, [401]]) }]],
  ['provider-usage', ['fetchClaudeUsage', 'fetchZaiUsage'], () => ['token', 1000, answered()]],
  ['provider-usage', ['fetchCodexUsage'], () => ['token', pick([undefined, 'account']), 1000, answered()]],
  ['provider-usage', ['fetchGeminiUsage'], () => ['token', 1000, answered(), 'google-gemini-cli']],
];
