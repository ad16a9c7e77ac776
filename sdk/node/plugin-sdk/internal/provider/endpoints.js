// What is known of the hosts of providers, and what requests to them may carry.
import { snapshot } from '../../../worker/state.js';
import { isRecord, normalizeOptionalLowercaseString, normalizeOptionalString } from '../strings.js';
import { normalizeProviderId } from './id.js';

/** Class, then hosts (a leading `.` or `-` for an ending, `*` for a host with its subdomains, an address for a whole base). */
const ENDPOINTS = [
  ['anthropic-public', 'api.anthropic.com'], ['cerebras-native', 'api.cerebras.ai'], ['chutes-native', 'llm.chutes.ai'], ['deepseek-native', 'api.deepseek.com'],
  ['github-copilot-native', '.githubcopilot.com'], ['google-generative-ai', 'generativelanguage.googleapis.com'],
  ['google-vertex', 'aiplatform.googleapis.com', '-aiplatform.googleapis.com'], ['groq-native', 'api.groq.com'], ['mistral-public', 'api.mistral.ai'],
  ['moonshot-native', 'https://api.moonshot.ai/v1', 'https://api.moonshot.cn/v1'], ['openai-public', 'api.openai.com'], ['openai-codex', 'chatgpt.com'],
  ['azure-openai', '.openai.azure.com'], ['opencode-native', '*opencode.ai'], ['openrouter', '*openrouter.ai'],
  ['modelstudio-native', ...['coding-intl.dashscope.aliyuncs.com/v1', 'coding.dashscope.aliyuncs.com/v1', 'dashscope.aliyuncs.com/compatible-mode/v1', 'dashscope-intl.aliyuncs.com/compatible-mode/v1'].map((rest) => `https://${rest}`)],
  ['xai-native', 'api.x.ai', 'api.grok.x.ai'], ['zai-native', 'api.z.ai'],
];
/** The family of a provider where it is not its own id. */
const FAMILIES = {
  'google-gemini-cli': 'google', 'google-vertex': 'google', kimi: 'moonshot', 'kimi-coding': 'moonshot', openai: 'openai-family', 'openai-codex': 'openai-family',
  'azure-openai': 'openai-family', 'azure-openai-responses': 'openai-family', 'opencode-go': 'opencode', qwen: 'modelstudio', qwencloud: 'modelstudio', dashscope: 'modelstudio',
};
const STREAMING_USAGE = new Set(['lmstudio', 'sglang', 'vllm']);
const RESPONSES_APIS = new Set(['openai-responses', 'azure-openai-responses', 'openai-codex-responses']);
const OPENAI_ENDPOINTS = new Set(['openai-public', 'openai-codex', 'azure-openai']);

const SCHEMELESS = /^[a-z0-9.[\]-]+(?::\d+)?(?:[/?#].*)?$/i;
function addressOf(value) {
  const text = normalizeOptionalString(value);
  if (!text) return undefined;
  const host = (url) => (URL.canParse(url) ? normalizeOptionalLowercaseString(new URL(url).hostname) : undefined);
  if (host(text)) return { url: new URL(text), host: host(text) };
  const guess = `https://${text}`;
  return SCHEMELESS.test(text) && host(guess) ? { url: new URL(guess), host: host(guess) } : undefined;
}

function matches(rule, { host, url }) {
  if (rule.startsWith('https://')) return /^https?:$/.test(url.protocol) && `${url.origin}${url.pathname}`.replace(/\/+$/, '').toLowerCase() === rule;
  if (rule.startsWith('*')) return host === rule.slice(1) || host.endsWith(`.${rule.slice(1)}`);
  return /^[.-]/.test(rule) ? host.endsWith(rule) : host === rule;
}

/** Which known service a base address belongs to. @param {string} [baseUrl] @returns {{ endpointClass: string, hostname?: string, googleVertexRegion?: string }} */
export function resolveProviderEndpoint(baseUrl) {
  if (typeof baseUrl !== 'string' || !baseUrl.trim()) return { endpointClass: 'default' };
  const address = addressOf(baseUrl);
  if (!address) return { endpointClass: 'invalid' };
  const { host } = address;
  const row = ENDPOINTS.find(([, ...rules]) => rules.some((rule) => matches(rule, address)));
  if (row?.[0] === 'google-vertex') return { endpointClass: row[0], hostname: host, googleVertexRegion: /^(.*)-aiplatform\.googleapis\.com$/.exec(host)?.[1] ?? 'global' };
  if (row) return { endpointClass: row[0], hostname: host };
  const local = ['localhost', '127.0.0.1', '::1', '[::1]'].includes(host) || /\.(?:localhost|local|internal)$/.test(host);
  return { endpointClass: local ? 'local' : 'custom', hostname: host };
}

/** Headers by which a service knows the program; only to services that document or accept them. */
function attributionOf(provider) {
  const version = snapshot.hostVersion || '0.0.0';
  const identity = { product: 'OpenClaw', version };
  if (provider === 'openrouter') {
    const headers = { 'HTTP-Referer': 'https://openclaw.ai', 'X-OpenRouter-Title': identity.product, 'X-OpenRouter-Categories': 'cli-agent,cloud-agent,programming-app,creative-writing,writing-assistant,general-chat,personal-agent' };
    return { provider, enabledByDefault: true, verification: 'vendor-documented', hook: 'request-headers', docsUrl: 'https://openrouter.ai/docs/app-attribution', ...identity, headers };
  }
  if (provider === 'openai' || provider === 'openai-codex') {
    const headers = { originator: 'openclaw', version, 'User-Agent': `openclaw/${version}` };
    return { provider, enabledByDefault: true, verification: 'vendor-hidden-api-spec', hook: 'request-headers', ...identity, headers };
  }
  const hook = { anthropic: 'default-headers', google: 'user-agent-extra', groq: 'default-headers', mistral: 'custom-user-agent', together: 'default-headers' }[provider];
  return hook && { provider, enabledByDefault: false, verification: 'vendor-sdk-hook-only', hook, ...identity };
}

/** The provider whose headers a request carries. */
function attributed(provider, endpointClass) {
  if (provider === 'openai' && endpointClass === 'openai-public') return provider;
  if (provider === 'openai-codex' && endpointClass === 'openai-codex') return provider;
  return provider === 'openrouter' && ['openrouter', 'default'].includes(endpointClass) ? provider : undefined;
}

/** What holds for requests of a provider to a base address. @param {{ provider?: string, baseUrl?: string }} input */
export function resolveProviderRequestPolicy(input) {
  const provider = normalizeProviderId(input.provider ?? '');
  const policy = attributionOf(provider);
  const { endpointClass } = resolveProviderEndpoint(input.baseUrl);
  const native = OPENAI_ENDPOINTS.has(endpointClass);
  const configured = endpointClass !== 'default';
  const attributionProvider = attributed(provider, endpointClass);
  return {
    provider: provider || undefined,
    policy,
    endpointClass,
    usesConfiguredBaseUrl: configured,
    knownProviderFamily: FAMILIES[provider] ?? (provider || 'unknown'),
    attributionProvider,
    attributionHeaders: attributionProvider ? policy.headers : undefined,
    allowsHiddenAttribution: attributionProvider !== undefined && policy.verification === 'vendor-hidden-api-spec',
    usesKnownNativeOpenAIEndpoint: native,
    usesKnownNativeOpenAIRoute: configured ? native : provider === 'openai',
    usesVerifiedOpenAIAttributionHost: endpointClass === 'openai-public' || endpointClass === 'openai-codex',
    usesExplicitProxyLikeEndpoint: configured && !native,
  };
}

const flag = (compat, key) => (isRecord(compat) && typeof compat[key] === 'boolean' ? compat[key] : undefined);

/** What a service takes from requests of one kind. @param {{ provider?: string, api?: string, baseUrl?: string, compat?: object, modelId?: string }} input */
export function resolveProviderRequestCapabilities(input) {
  const policy = resolveProviderRequestPolicy(input);
  const { provider, endpointClass } = policy;
  const api = normalizeOptionalLowercaseString(input.api);
  const responses = RESPONSES_APIS.has(api);
  const cacheKey = flag(input.compat, 'supportsPromptCacheKey');
  const stores = responses && flag(input.compat, 'supportsStore') !== false;
  const reasoningApis = ['openai-completions', ...RESPONSES_APIS];
  const openai = ['openai', 'openai-codex', 'azure-openai', 'azure-openai-responses'];
  return {
    ...policy,
    isKnownNativeEndpoint: ENDPOINTS.some(([name]) => name === endpointClass),
    allowsOpenAIServiceTier:
      (provider === 'openai' && api === 'openai-responses' && endpointClass === 'openai-public') ||
      (provider === 'openai-codex' && ['openai-codex-responses', 'openai-responses'].includes(api) && endpointClass === 'openai-codex'),
    supportsOpenAIReasoningCompatPayload: !policy.usesExplicitProxyLikeEndpoint && openai.includes(provider) && reasoningApis.includes(api),
    allowsAnthropicServiceTier: provider === 'anthropic' && api === 'anthropic-messages' && ['default', 'anthropic-public'].includes(endpointClass),
    supportsResponsesStoreField: stores,
    allowsResponsesStore: stores && openai.includes(provider) && provider !== 'openai-codex' && policy.usesKnownNativeOpenAIEndpoint,
    shouldStripResponsesPromptCache: responses && cacheKey !== true && (cacheKey === false || policy.usesExplicitProxyLikeEndpoint),
    supportsNativeStreamingUsageCompat: endpointClass === 'moonshot-native' || endpointClass === 'modelstudio-native',
    supportsOpenAICompletionsStreamingUsageCompat: STREAMING_USAGE.has(provider),
    compatibilityFamily: ['kimi', 'kimi-coding', 'moonshot'].includes(provider) ? 'moonshot' : undefined,
  };
}

/** How chat completions of a service differ from OpenAI's. @param {object} capabilities of `resolveProviderRequestCapabilities` */
export function completionsDefaults({ provider, endpointClass, knownProviderFamily: family, ...known }) {
  const byDefault = (...ids) => endpointClass === 'default' && ids.includes(provider);
  const foreign = !['default', 'openai-public'].includes(endpointClass);
  const moonshot = ['moonshot', 'modelstudio'].includes(family) || ['moonshot-native', 'modelstudio-native'].includes(endpointClass);
  const zai = endpointClass === 'zai-native' || byDefault('zai');
  const odd =
    ['cerebras-native', 'chutes-native', 'deepseek-native', 'mistral-public', 'opencode-native', 'xai-native'].includes(endpointClass) ||
    zai || byDefault('cerebras', 'chutes', 'deepseek', 'opencode', 'xai');
  return {
    supportsDeveloperRole: !odd && !moonshot && !foreign,
    supportsUsageInStreaming: known.supportsOpenAICompletionsStreamingUsageCompat || (!odd && (!foreign || known.supportsNativeStreamingUsageCompat)),
    supportsStrictMode: !zai && !foreign,
  };
}
