// Providers: ids, endpoints, requests, errors, replay, payloads.
import { pick, scalar, text } from './kit.mjs';

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
/** What a wrapped stream made of a payload. */
async function payloadOf(stream, payload, model = {}) {
  const copy = structuredClone(payload);
  await stream({ ...model, payload: copy }, {}, {});
  return copy;
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
];
