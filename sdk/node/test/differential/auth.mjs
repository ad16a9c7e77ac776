// Credentials: keys, profiles, their order, sign-ins.
import { list, pick, scalar, text } from './kit.mjs';

const NOW = 1_800_000_000_000;
const until = () => pick([undefined, NOW - 1, NOW + 1000, NOW + 5000, -1, NaN]);
const key = () => pick(['', ' sk-abc ', 'export KEY="v";', "NAME='x'", '`y`', 'a=b', '${API_KEY}', 'secretref-env:KEY', 'sk-ant-oat01-x', `sk-ant-oat01-${'x'.repeat(90)}`, 'longer-than-eight', 12, null]);
const profile = () => pick([{ type: 'api_key', provider: 'openai', key: pick([undefined, 'k']) }, { type: 'oauth', provider: 'openai', access: 'a', expires: until(), email: pick([undefined, 'a@b.c']) }, { type: 'token', provider: 'openai', token: 't', expires: pick([undefined, 1, 9e15, 'x']) }, { type: 'api_key', provider: 'openrouter', key: 'k' }, { type: 'api_key', provider: 'z.ai', keyRef: { source: 'env', provider: 'default', id: 'K' } }]);
const stats = () => pick([undefined, { cooldownUntil: until(), cooldownReason: 'rate_limit', cooldownModel: pick([undefined, 'm']), failureCounts: pick([undefined, { timeout: 2, auth: 2, nonsense: 9 }]) }, { disabledUntil: until(), disabledReason: pick(['billing', 'x']) }, { blockedUntil: until(), lastUsed: 3 }, { lastUsed: 5, errorCount: 1 }]);
const store = () => ({ version: 1, profiles: Object.fromEntries(['a:1', 'b:default', 'c:x@y.z'].map((id) => [id, profile()])), usageStats: Object.fromEntries(['a:1', 'b:default', 'c:x@y.z'].map((id) => [id, stats()])), order: pick([undefined, { openai: ['c:x@y.z', 'a:1'] }]) });
const cfg = () => pick([{}, undefined, { auth: { order: pick([undefined, { openai: ['b:default'] }]), profiles: { 'b:default': { provider: 'openai', mode: pick(['oauth', 'api_key', 'token']) } } } }]);
export default [
  ['provider-auth', ['normalizeApiKeyInput', 'validateApiKeyInput', 'normalizeOptionalSecretInput', 'normalizeSecretInputModeInput'], () => [pick([key(), 'PLAINTEXT', 'ref'])]],
  ['provider-auth', ['formatApiKeyPreview'], () => [String(key()), pick([undefined, { head: 2, tail: 3 }])]],
  ['provider-auth', ['normalizeApiKeyConfig', 'validateAnthropicSetupToken', 'isKnownEnvApiKeyMarker', 'isNonSecretApiKeyMarker'], () => [pick([String(key()), 'OPENAI_API_KEY', 'AWS_PROFILE', 'oauth:x', 'ollama-local', ' GEMINI_API_KEY '])]],
  ['provider-auth', ['buildTokenProfileId'], () => [{ provider: pick(['z.ai', 'X']), name: pick([text(), 'My Token!', '--']) }]],
  ['provider-auth', ['buildCopilotIdeHeaders'], () => [pick([undefined, { includeApiVersion: true }])]],
  ['provider-auth', ['deriveCopilotApiBaseUrlFromToken'], () => [pick(['', 'a;proxy-ep=proxy.x.githubcopilot.com;b', 'proxy-ep=https://Proxy.y.com', 'proxy-ep=', 'proxy-ep=::'])]],
  ['provider-auth', ['buildApiKeyCredential'], () => [pick(['openai', 'nobody']), key(), pick([undefined, { a: 'b' }]), pick([undefined, { secretInputMode: pick(['plaintext', 'ref']) }])]],
  ['provider-auth', ['resolveDefaultSecretProviderAlias'], () => [pick([{}, { secrets: { defaults: { env: ' e ' }, providers: { f: { source: 'file' } } } }]), pick(['env', 'file', 'exec']), pick([undefined, { preferFirstProviderForSource: true }])]],
  ['provider-auth', ['toFormUrlEncoded'], () => [{ a: text(), 'b c': 'd&e' }]],
  ['provider-auth', ['hasUsableOAuthCredential'], () => [pick([undefined, profile()]), { now: NOW, refreshMarginMs: pick([undefined, 0, 2000]) }]],
  ['provider-auth', ['applyAuthProfileConfig'], () => [cfg() ?? {}, { profileId: pick(['b:default', 'n:new']), provider: pick(['openai', 'z.ai']), mode: pick(['oauth', 'api_key']), email: pick([undefined, 'e']), preferProfileFirst: pick([undefined, false]) }]],
  ['provider-auth', ['buildOauthProviderAuthResult'], () => [{ providerId: 'p', defaultModel: pick(['p/m', 'google/gemini-3-pro', 'x']), access: 'a', refresh: pick([undefined, 'r']), expires: pick([undefined, 5, NaN]), email: pick([undefined, null, 'e@x']), displayName: pick([undefined, 'D']), profilePrefix: pick([undefined, 'q']), profileName: pick([undefined, 'n']), configPatch: pick([undefined, { agents: { defaults: { model: pick(['z.ai/m', { primary: 'google/gemini-3-pro', fallbacks: ['a/b'] }]), models: { 'z.ai/m': { alias: 'A' } } } } }]), notes: pick([undefined, ['n']]) }]],
  ['provider-auth', ['listProfilesForProvider'], () => [store(), pick(['openai', 'zai', 'x'])]],
  ['provider-auth', ['suggestOAuthProfileIdForLegacyDefault'], () => [{ cfg: cfg(), store: store(), provider: 'openai', legacyProfileId: pick(['b:default', 'a:1', 'x']) }]],
  ['provider-auth-runtime', ['parseOAuthCallbackInput'], () => [pick(['', 'x', 'http://l/?code=a', 'http://l/?code=a&state=b', 'http://l/?state=b']), pick([undefined, { missingState: 'm', invalidInput: 'i' }])]],
  ['provider-auth-runtime', ['requireApiKey'], () => [{ apiKey: pick([undefined, ' k ', '']), mode: 'api-key' }, 'p']],
  ['provider-auth-runtime', ['executeWithApiKeyRotation'], () => [{ provider: 'p', apiKeys: list(() => pick(['a', 'b ', 'bad', ''])), execute: async (apiKey) => { if (apiKey === 'bad') throw new Error(pick(['429', '429'])); return apiKey; } }]],
  ['provider-env-vars', ['getProviderEnvVars'], () => [pick(['openai', 'minimax', 'minimax-cn', 'google', 'nobody', 'claude-cli'])]],
  ['provider-env-vars', ['omitEnvKeysCaseInsensitive'], () => [{ A: '1', bC: '2' }, list(() => pick(['a', 'BC', ' ']))]],
  ['agent-runtime', ['isProfileInCooldown'], () => [store(), pick(['a:1', 'none']), NOW, pick([undefined, 'm', 'n'])]],
  ['agent-runtime', ['resolveProfilesUnavailableReason'], () => [{ store: store(), profileIds: ['a:1', 'b:default', 'c:x@y.z'], now: NOW }]],
  ['agent-runtime', ['clearExpiredCooldowns'], () => [store(), NOW], (changed, [after]) => [changed, after]],
  ['agent-runtime', ['resolveAuthProfileEligibility'], () => [{ cfg: cfg(), store: store(), provider: pick(['openai', 'zai']), profileId: pick(['a:1', 'b:default', 'none']), now: NOW }]],
  ['agent-runtime', ['resolveAuthProfileDisplayLabel'], () => [{ cfg: cfg(), store: store(), profileId: pick(['a:1', 'none']) }]],
  ['agent-runtime', ['calculateAuthProfileCooldownMs'], () => [pick([0, 1, 2, 3, 9])]],
  ['agent-runtime', ['resolveAwsSdkEnvVarName'], () => [pick([{}, { AWS_PROFILE: 'x' }, { AWS_ACCESS_KEY_ID: 'x' }, { AWS_ACCESS_KEY_ID: 'x', AWS_SECRET_ACCESS_KEY: 'y' }])]],
  ['provider-auth', ['coerceSecretRef'], () => [scalar()]],
];
