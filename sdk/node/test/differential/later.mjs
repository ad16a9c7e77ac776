// Rows for names that only plugins of 2026.6.11 use.
import { Buffer } from 'node:buffer';
import { later, list, pick, scalar, text } from './kit.mjs';

const some = (value) => pick([undefined, value]);
const token = () => `h.${Buffer.from(JSON.stringify(pick([{}, { exp: pick([1900000000, '1900000000', 0, 'x']), sub: 'me' }, { 'https://api.openai.com/auth': { chatgpt_account_id: ' a b/c ', chatgpt_plan_type: 'plus', user_id: 'u' } }, { 'https://api.openai.com/profile': { email: ' m@x ' }, 'https://api.openai.com/auth': 'no' }, [1]]))).toString('base64url')}.s`;
const claude = () => ({ id: pick(['claude-opus-4-7', 'anthropic/Claude Sonnet 4.6', 'us.anthropic.claude-fable-5-v1:0', 'gpt-5', ' claude-mythos-preview ', 'x/claude-opus-4_8@1', 'my-claude-fable-5', 'notclaude-opus-4-6', '', undefined]), params: pick([undefined, {}, { canonicalModelId: 'claude-fable-5' }, { canonicalModelId: 4 }]), thinkingLevelMap: pick([undefined, undefined, { max: null }]) });
const schema = (depth = 3) => {
  if (depth === 0) return pick([{ type: 'string' }, { const: 'a' }, { const: 'b' }, { type: 'null' }, { const: null }, { enum: [null] }, { type: ['null'] }, true, null, 'x']);
  const inner = () => schema(depth - 1);
  return pick([{ anyOf: list(inner) }, { oneOf: [{ const: 'a' }, { const: 'b' }, inner()], description: 'd' }, { type: 'object', properties: { a: inner(), anyOf: inner() } }, { type: 'array', items: inner() }, { anyOf: list(inner), oneOf: list(inner) }, { anyOf: 'x' }, [inner()], inner()]);
};
const tools = () => [{ tools: list(() => ({ name: 't', parameters: schema() })) }];
const url = () => pick(['https://a.b/c', ' http://LocalHost.:8080/v1 ', 'ftp://x', 'x', '', 'http://[::1]:1/', 'https://a.b:443']);
const number = { min: some(1), max: some(3), minExclusive: pick([true, false]), maxExclusive: pick([true, false]) };
const DECISIONS = ['allow-once', 'allow-always', 'deny'];
const key = () => pick([undefined, '', 'main', 'agent:a:main', 'agent:a:telegram:group:1', 'discord:acc:direct:5', 'Slack:Channel:x', '123@g.us', 'discord:guild-1:channel-2', 'agent:a', 'dm:x']);
const rule = () => pick([null, {}, { action: pick(['allow', ' Deny ', 'x']), match: pick([undefined, null, { channel: pick(['telegram', 'Discord', 'slack']) }, { chatType: pick(['group', 'dm', 'channel', 'x']) }, { keyPrefix: pick(['telegram:', 'agent:a', 'main']) }, { rawKeyPrefix: 'agent:A' }]) }]);
const ids = () => list(() => pick(['canary', 'help-command', 'nope', 'quote-reply']));

const quote = () => some({ body: 'q', isSelf: pick([undefined, true, false]), senderAllowed: pick([undefined, true, false]), media: pick([undefined, [{ path: '/q', kind: 'image' }], () => [{ url: 'u', contentType: 'a/b' }], async () => [{ path: '/r' }]]) });
const supplemental = () => some({ quote: quote(), forwarded: some({ from: 'f', senderAllowed: pick([true, false]) }), thread: some({ id: 't' }), untrustedContext: some([{ label: 'l' }]), untrustedGroupSystemPrompt: pick([undefined, ' ', 'a\r\nb']) });
const about = () => ({ supplemental: supplemental(), contextVisibility: pick([undefined, 'all', 'allowlist', 'allowlist_quote']), media: some([{ path: '/m', contentType: 'image/png', transcribed: pick([true, false]) }]), resolveSupplementalMedia: pick([undefined, true]), suppressSelfQuoteBody: some(false), suppressSelfQuoteMedia: some(false) });

const rows = [
  ['channel-inbound', ['finalizeChannelInboundContext'], () => [{ ...about(), context: { Body: 'b', SupplementalContext: supplemental(), UntrustedStructuredContext: some([{ label: 'x' }]), MediaPath: some('/old') }, finalize: (context) => context }]],
  ['channel-inbound', ['resolveChannelInboundSupplementalContext'], () => [about()]],
  ['channel-inbound', ['buildChannelTurnMediaPayload'], () => [pick([undefined, list(() => ({ path: some('/a'), url: some('u'), kind: some('image'), contentType: some('a/b'), transcribed: pick([true, false]) }))])]],
  ['param-readers', ['readFiniteNumberParam'], () => [{ aB: scalar(), a_b: scalar() }, 'aB', { min: some(1), max: some(3), minExclusive: number.minExclusive, maxExclusive: pick([true, false]), message: some('m') }]],
  ['provider-web-search', ['parseWebSearchTimeFilters'], () => [{ rawFreshness: pick([undefined, 'pd', 'week', 'x', '2026-01-01to2026-02-01']), freshnessProvider: pick(['brave', 'perplexity']), rawDateAfter: pick([undefined, '2026-01-02', '1/5/2026', 'x']), rawDateBefore: pick([undefined, '2026-01-03', '2025-01-01']), invalidFreshnessMessage: 'f', invalidDateAfterMessage: 'a', invalidDateBeforeMessage: 'b', invalidDateRangeMessage: 'r', conflictingTimeFiltersMessage: some('c'), docs: some('d') }]],
  ['provider-web-search', ['resolvePositiveTimeoutSeconds'], () => [scalar(), pick([5, 0, 1e9])]],
  ['security-runtime', ['normalizePositiveTimerMs'], () => [scalar(), pick([5, 0, 1e12])]],
  ['media-generation-runtime', ['resolveMediaProviderDefaultTimeoutMs'], () => [scalar()]],
  ['media-generation-runtime', ['resolveMediaProviderRequestTimeoutMs'], () => [{ timeoutMs: scalar(), providerDefaultTimeoutMs: scalar() }]],
  ['speech-core', ['parseSpeechDirectiveNumberOverride'], () => [{ ctx: { value: text(), policy: { allowVoiceSettings: pick([true, true, false]) }, currentOverrides: some({ a: 1 }) }, overrideKey: 'speed', range: { min: some(0), max: some(12), maxExclusive: pick([true, false]), minExclusive: pick([true, false]) }, warning: (value) => `no ${value}`, mergeCurrentOverrides: pick([true, false]) }]],
  ['windows-spawn', ['detectWindowsSpawnCommandInlineArgs'], () => [pick(['', 'node', 'node x.js', '"C:\\\\a b\\\\node.exe" x y', ' npm.cmd  run a ', '"x', '""', 'node.cmd x', 'python x', 'C:\\\\n\\\\NPX.EXE a', '"node"x', '/usr/bin/node a'])]],
  ['provider-tools', ['normalizeDeepSeekToolSchemas', 'inspectDeepSeekToolSchemas'], tools],
  ['provider-model-shared', ['resolveClaudeFable5ModelIdentity', 'resolveClaudeModelIdentity', 'resolveClaudeNativeThinkingLevelMap', 'supportsClaudeAdaptiveThinking', 'supportsClaudeNativeMaxEffort', 'supportsClaudeNativeXhighEffort'], () => [claude()]],
  ['provider-auth', ['decodeOpenAICodexJwtPayload', 'resolveOpenAICodexAccessTokenExpiry'], () => [pick([token(), token(), 'x', 'a.b.c', ''])]],
  ['provider-auth', ['resolveOpenAICodexAuthIdentity'], () => [{ access: token(), accountId: some('acc') }]],
  ['provider-auth', ['buildOpenAICodexCredentialExtra'], () => [{ accountId: some('a'), chatgptPlanType: some('p'), idToken: some('t'), email: 'e' }]],
  ['provider-auth', ['resolveOpenAICodexImportProfileName'], () => [{ accountId: some('a b/c'), profileName: pick([undefined, 'id-x', 'm@x']) }, 'other']],
  ['music-generation', ['extractGeneratedMusicFileCandidates'], () => [pick([null, { audio: ' u ', audio_file: { url: 'v', content_type: ' audio/wav ', file_name: text() } }, { audio: { url: scalar() }, b: 'x' }, { audio: [1] }]), pick([undefined, ['b', 'audio']])]],
  ['music-generation', ['generatedMusicAssetFromBase64'], () => [{ base64: 'YWI=', mimeType: pick(['audio/wav', 'audio/x', 'audio/mp4']), fileName: some('f'), index: some(2) }]],
  ['ssrf-runtime', ['ssrfPolicyFromHttpBaseUrlAllowedOrigin'], () => [url()]],
  ['ssrf-runtime', ['resolveSsrFPolicyForUrl'], () => [new URL(pick(['https://a.b/c', 'http://localhost:8080/x', 'http://[::1]:1/', 'https://A.b./'])), pick([undefined, {}, { allowedOrigins: list(url) }, { allowedOrigins: list(url), allowedHostnames: ['x'] }])]],
  ['ssrf-runtime', ['mergeSsrFPolicies'], () => list(() => pick([undefined, { allowedOrigins: list(url) }, { allowedHostnames: ['a'] }]))],
  ['approval-reply-runtime', ['buildApprovalPresentation'], () => [{ approvalId: pick([' id ', '']), ask: pick([undefined, 'always', 'off']), allowedDecisions: pick([undefined, [], ['deny'], DECISIONS]) }]],
  ['approval-reply-runtime', ['buildExecApprovalPresentation'], () => [{ approvalCommandId: 'id', ask: pick([undefined, 'always']), allowedDecisions: pick([undefined, ['deny', 'allow-once']]) }]],
  ['session-store-runtime', ['resolveSendPolicy'], () => [{ cfg: { session: pick([undefined, { sendPolicy: { default: pick([undefined, 'deny', 'x']), rules: pick([undefined, list(rule), list(rule)]) } }]) }, entry: pick([undefined, {}, { sendPolicy: pick(['deny', 'x']) }, { channel: 'telegram', chatType: 'group' }, { lastChannel: ' Slack ' }]), sessionKey: key(), channel: pick([undefined, undefined, 'discord', '']), chatType: pick([undefined, undefined, 'direct']) }]],
  ['qa-live-transport-scenarios', ['collectLiveTransportStandardScenarioCoverage'], () => [{ alwaysOnStandardScenarioIds: some(ids()), scenarios: ids().map((standardId) => ({ standardId })) }]],
  ['qa-live-transport-scenarios', ['findMissingLiveTransportStandardScenarios'], () => [{ coveredStandardScenarioIds: ids(), expectedStandardScenarioIds: ids() }]],
  ['qa-live-transport-scenarios', ['selectLiveTransportScenarios'], () => [{ ids: some(ids()), laneLabel: 'x', scenarios: [{ id: 'canary' }, { id: 'help-command' }] }]],
];
export default later ? rows : [];
