// Rows for errors, files by name, plugin settings, hook contexts, routes, old settings and choices of models.
import { list, pick, random, scalar, text } from './kit.mjs';

const maybe = (value) => pick([undefined, value]);
const inbound = () => ({
  From: maybe('f'), To: maybe('t'), Body: maybe('b'), BodyForCommands: pick([undefined, ' ', 'cmd']), RawBody: maybe('raw'), BodyForAgent: maybe('x'), Transcript: maybe('tr'),
  Timestamp: pick([undefined, NaN, 5]), OriginatingChannel: maybe(' Tele '), Surface: maybe('S'), Provider: 'p', AccountId: maybe('a'), OriginatingTo: maybe('ot'), SessionKey: maybe('k'),
  MessageSid: maybe('1'), MessageSidFull: maybe('full'), MessageSidLast: 'last', SenderId: maybe('9'), SenderName: 'N', MessageThreadId: maybe(7), MediaPath: maybe('/m'), MediaPaths: pick([undefined, 'x', ['/a', 3, '']]),
  MediaTypes: pick([undefined, ['image/png']]), GroupSubject: maybe('G'), GroupChannel: maybe('#c'), GroupSpace: maybe('sp'), TopicName: maybe('top'),
});
const trace = () => pick([undefined, { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16) }, { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16), parentSpanId: 'c'.repeat(16) }]);
const message = () => ({
  from: 'f', to: 't', content: 'c', body: maybe('b'), timestamp: maybe(1), channelId: 'ch', accountId: maybe('a'), conversationId: maybe('x'), messageId: maybe('m'), senderId: maybe('s'), senderName: maybe('n'),
  provider: 'p', surface: 's', threadId: maybe(3), sessionKey: maybe('k'), runId: maybe('r'), callDepth: pick([undefined, 0, 2]), transcript: maybe('t'), isGroup: pick([true, false, undefined]), groupId: maybe('g'),
  success: pick([true, false]), error: pick([undefined, '', 'e']), guildId: maybe('gu'), channelName: maybe('cn'), topicName: maybe('tn'), trace: trace(),
});
const route = () => ({ baseSessionKey: pick(['agent:main:c:group:1', 'AGENT:main:c:group:1']), sessionKey: 's', to: 'x' });
const threadId = () => pick([undefined, null, '', ' 12 ', 7, 7.9, 'T1', NaN]);
const snapshotOf = () => pick([{}, { configured: true, running: true, lastError: 'e', lastStartAt: 1, probe: { ok: true }, lastProbeAt: 2 }]);
const streaming = () => ({ ...pick([{}, { streamMode: 'block' }, { streaming: true }, { streaming: 'partial' }, { streaming: { mode: 'off', block: { enabled: true } } }]), ...pick([{}, { chunkMode: 'newline' }, { blockStreaming: true, blockStreamingCoalesce: { a: 1 } }, { draftChunk: { m: 1 } }, { nativeStreaming: true }]), other: 1 });
const dm = () => ({ ...pick([{}, { dmPolicy: 'open' }, { allowFrom: ['a', 1] }]), ...pick([{}, { dm: { policy: 'open' } }, { dm: { policy: 'pairing', allowFrom: ['a', '1 '] } }, { dm: { enabled: true, allowFrom: ['b'] } }, { dm: 'x' }]) });
const streamingOptions = () => ({ resolvedMode: pick(['off', 'partial']), resolvedNativeTransport: pick([undefined, true]), includePreviewChunk: pick([true, false]), offModeLegacyNotice: pick([undefined, (prefix) => `${prefix} is off`]) });
const withChanges = (result, [params]) => ({ ...result, changes: params.changes });
const entry = () => ({ id: 1, ...pick([{}, { providerOverride: 'a', modelOverride: 'm', modelOverrideSource: 'auto' }]), ...pick([{}, { model: 'm', modelProvider: 'a', contextTokens: 5 }, { model: 'z' }]), ...pick([{}, { authProfileOverride: 'p', authProfileOverrideSource: 'user', authProfileOverrideCompactionCount: 0 }]), ...pick([{}, { fallbackNoticeReason: 'x', modelOverrideFallbackOriginModel: 'q' }]) });
const issue = () => pick([undefined, { code: 'unrecognized_keys', keys: ['k'], path: [], message: 'm' }, { code: 'invalid_type', path: [], message: 'm' }, { code: 'x', path: ['a', 1, Symbol.iterator], message: 'm' }]);
const toolText = () => Array.from({ length: 1 + random(4) }, () => pick(['text\n', '[tool]\n{"a":1}\n[/tool]\n', '[tool]\n{"a":{"b":"}"}} [END_TOOL_REQUEST]', 'analysis to=run code {"x":1}', '<|channel|>commentary to=do code<|message|>{}<|call|>\n', '[x]{"a":1}[/x]', '[tool]\n{"a":', ' ', '\r\n', '[t]\n[1]\n[/t]'])).join('');
const models = () => ({ channels: { modelByChannel: pick([undefined, { Tele: { 12: 'a/m', '*': 'w/m' } }, { tele: { 'my-room': 'r/m', '#General': 'g/m' } }, { tele: { '-100': 'p/m' } }, { other: { '*': 'o' } }]) } });

export default [
  ['error-runtime', ['readErrorName', 'formatUncaughtError', 'isApprovalNotFoundError'], () => [pick([scalar(), Object.assign(new Error('bad'), { stack: 'S', code: pick(['INVALID_CONFIG', 'E']) }), Object.assign(new Error('x'), { gatewayCode: pick(['APPROVAL_NOT_FOUND', 'INVALID_REQUEST']), details: pick([undefined, { reason: 'APPROVAL_NOT_FOUND' }]) }), new Error('unknown or expired approval id 3')])]],
  ['error-runtime', ['collectErrorGraphCandidates'], () => [pick([null, 'x', { n: 1, cause: { n: 2, list: [7] }, list: [{ n: 4 }, 3, null, 3] }]), pick([undefined, (one) => [one.cause, ...(one.list ?? [])]])]],
  ['logging-core', ['redactIdentifier'], () => [pick([undefined, ' ', 'user-1', ' x ']), pick([undefined, { len: 6 }])]],
  ['state-paths', ['resolveOAuthDir'], () => [{ HOME: '/h', OPENCLAW_OAUTH_DIR: pick([undefined, ' ', '~/o', '/abs']), OPENCLAW_STATE_DIR: pick([undefined, '/st']) }]],
  ['state-paths', ['resolveRequiredHomeDir'], () => [{ HOME: pick([undefined, '/h', 'undefined']), USERPROFILE: maybe('/u'), OPENCLAW_HOME: pick([undefined, '~/x', '/o']) }, () => '/fallback']],
  ['temp-path', ['sanitizeTempFileName'], () => [pick([text(), '../a b.png', '--', 'ä.txt'])]],
  ['temp-path', ['buildRandomTempFilePath'], () => [{ prefix: pick(['a b', '', '..', 'x']), extension: pick([undefined, 'png', '.p/n g', '']), tmpDir: '/t', now: pick([5.7, 9]), uuid: pick(['u', ' v ']) }]],
  ['file-access-runtime', ['basenameFromMediaSource'], () => [pick([undefined, '', 'file:///a/b.png', 'file://host/x', 'https://x/y/z.jpg?q', '/a/b', 'c'])]],
  ['file-access-runtime', ['safeFileURLToPath'], () => [pick(['file:///a%20b', 'file://localhost/a', 'file://host/a', 'http://x', 'nope', 'file:///a%2Fb'])]],
  ['plugin-config-runtime', ['resolvePluginConfigObject'], () => [pick([undefined, {}, { plugins: [] }, { plugins: { entries: { p: { config: { a: 1 } } } } }, { plugins: { entries: { p: { config: [] } } } }]), 'p']],
  ['plugin-config-runtime', ['resolveLivePluginConfigObject'], () => [pick([undefined, () => ({ plugins: { entries: { p: { config: { b: 2 } } } } }), () => undefined]), 'p', maybe({ s: 1 })]],
  ['extension-shared', ['formatPluginConfigIssue'], () => [issue(), pick([undefined, { unknownKeyMessage: (key) => `no ${key}`, rootInvalidTypeMessage: 'root', invalidConfigMessage: 'bad' }])]],
  ['extension-shared', ['mapPluginConfigIssues'], () => [list(issue).filter(Boolean)]],
  ['extension-shared', ['buildPassiveChannelStatusSummary', 'buildPassiveProbedChannelStatusSummary'], () => [snapshotOf(), maybe({ x: 1, running: 5 })]],
  ['extension-shared', ['buildTrafficStatusSummary'], () => [pick([undefined, {}, { lastInboundAt: 1, lastOutboundAt: 2 }])]],
  ['extension-shared', ['coerceStatusIssueAccountId'], () => [scalar()]],
  ['extension-shared', ['readStatusIssueFields'], () => [pick([null, 'x', [], { a: 1, c: 2 }]), ['a', 'b']]],
  ['extension-shared', ['canResolveEnvSecretRefInReadOnlyPath'], () => [{ cfg: pick([undefined, {}, { secrets: { defaults: { env: 'mine' } } }, { secrets: { providers: { default: { source: pick(['env', 'file']), allowlist: pick([undefined, ['K'], []]) } } } }]), provider: pick(['default', 'mine']), id: 'K' }]],
  ['extension-shared', ['safeParseJsonWithSchema'], () => [{ safeParse: (value) => (value.a ? { success: true, data: value } : { success: false }) }, pick(['{"a":1}', '{}', '{'])]],
  ['extension-shared', ['readPluginPackageVersion'], () => [{ require: (name) => { if (name === './package.json') return { version: pick([' ', '1.2']) && '1.2' }; throw new Error(name); }, fallback: maybe('f'), candidates: pick([undefined, ['x']]) }]],
  ['tool-payload', ['extractToolPayload'], () => [pick([undefined, null, {}, { details: 0 }, { content: [{ type: 'text', text: '{"a":1}' }] }, { content: [{ type: 'image' }, { type: 'text', text: 'x{' }] }, { content: 'c' }, { content: [{ type: 'text', text: '' }] }])]],
  ['tool-payload', ['parseStandalonePlainTextToolCallBlocks'], () => [toolText(), pick([undefined, { allowedToolNames: ['tool'] }, { maxPayloadBytes: 9 }])]],
  ['tool-payload', ['stripPlainTextToolCallBlocks'], () => [toolText()]],
  ['hook-runtime', ['deriveInboundMessageHookContext'], () => [inbound(), pick([undefined, { content: 'o', messageId: 'mid' }])]],
  ['hook-runtime', ['toPluginMessageContext', 'toPluginMessageReceivedEvent', 'toPluginMessageSentEvent', 'toInternalMessageReceivedContext', 'toInternalMessageSentContext'], () => [message()]],
  ['hook-runtime', ['buildCanonicalSentMessageHookContext'], () => [message()]],
  ['hook-runtime', ['toInternalMessageTranscribedContext', 'toInternalMessagePreprocessedContext'], () => [message(), { c: 1 }]],
  ['hook-runtime', ['formatHookErrorForLog'], () => [pick([new Error('a\nb\tc'), 'x'.repeat(900), '', text()])]],
  ['hook-runtime', ['isAgentBootstrapEvent', 'isGatewayStartupEvent', 'isMessageReceivedEvent', 'isMessageSentEvent', 'isMessageTranscribedEvent', 'isMessagePreprocessedEvent', 'isSessionPatchEvent'], () => [{ ...pick([{ type: 'agent', action: 'bootstrap' }, { type: 'gateway', action: 'startup' }, { type: 'message', action: pick(['received', 'sent', 'transcribed', 'preprocessed']) }, { type: 'session', action: 'patch' }]), context: pick([undefined, null, { workspaceDir: '/', bootstrapFiles: [] }, { from: 'f', channelId: 'c', to: 't', success: true, transcript: 't' }, { channelId: 'c' }, { patch: {}, cfg: {}, sessionEntry: {} }, { patch: null, cfg: {} }]) }]],
  ['core', ['stripChannelTargetPrefix'], () => [pick([' Telegram:12 ', 'tg:telegram:1', 'x', 'telegram: a']), 'tg', 'Telegram']],
  ['core', ['stripTargetKindPrefix'], () => [pick(['user:1', 'DM: 2', 'x', 'room:user:3'])]],
  ['core', ['parseOptionalDelimitedEntries'], () => [pick([undefined, ' ', 'a, b;c\n d', ',;'])]],
  ['core', ['recoverCurrentThreadSessionId'], () => [{ route: route(), currentSessionKey: pick([undefined, null, 'agent:main:c:group:1:thread:9', 'agent:main:c:group:2:thread:9', 'agent:main:c:group:1', 'Agent:Main:c:group:1:Thread:A']), canRecover: pick([undefined, () => false, (context) => context.currentThreadId === '9']) }]],
  ['core', ['buildThreadAwareOutboundSessionRoute'], () => [{ route: route(), replyToId: threadId(), threadId: threadId(), currentSessionKey: pick([undefined, 'agent:main:c:group:1:thread:9']), precedence: pick([undefined, ['threadId', 'replyToId']]), useSuffix: pick([undefined, false]), parentSessionKey: maybe('p'), normalizeThreadId: pick([undefined, (id) => `n${id}`]) }]],
  ['core', ['clearAccountEntryFields'], () => [{ accounts: pick([undefined, { default: { token: 'x', name: 'n' } }, { a: { token: '' } }, { a: 5 }]), accountId: pick(['', 'a', 'default']), fields: pick([['token'], ['token', 'name'], ['zz']]), markClearedOnFieldPresence: pick([undefined, true]), isValueSet: pick([undefined, () => true]) }]],
  ['runtime-config-snapshot', ['selectApplicableRuntimeConfig'], () => [{ inputConfig: pick([undefined, { a: 1 }, { a: 2 }]), runtimeConfig: pick([undefined, null, { r: 1 }]), runtimeSourceConfig: pick([undefined, null, { a: 1 }]) }]],
  ['model-session-runtime', ['applyModelOverrideToSessionEntry'], () => [{ entry: entry(), selection: { provider: 'a', model: pick(['m', 'n']), isDefault: pick([undefined, true]) }, profileOverride: maybe('p'), profileOverrideSource: maybe('auto'), selectionSource: maybe('auto'), preserveAuthProfileOverride: pick([undefined, true]), markLiveSwitchPending: pick([undefined, true]) }], (result, [params]) => ({ ...result, entry: { ...params.entry, updatedAt: params.entry.updatedAt ? 1 : 0 } })],
  ['model-session-runtime', ['resolveAgentMaxConcurrent'], () => [pick([undefined, {}, { agents: { defaults: { maxConcurrent: pick([0, 2.7, 9, NaN]) } } }])]],
  ['model-session-runtime', ['resolveChannelModelOverride'], () => [{ cfg: models(), channel: pick([undefined, 'tele', ' TELE ']), groupId: pick([undefined, '12', '-100']), groupChannel: pick([undefined, '#General', 'My Room']), groupSubject: maybe('My Room'), parentSessionKey: pick([undefined, 'agent:main:tele:group:12', 'agent:main:tele:group:-100:thread:5']) }]],
  ['runtime-doctor', ['collectProviderDangerousNameMatchingScopes'], () => [{ channels: { c: pick([undefined, 1, { dangerouslyAllowNameMatching: pick([true, undefined]), accounts: pick([undefined, { a: {}, b: { dangerouslyAllowNameMatching: false }, c: 3 }]) }]) } }, 'c']],
  ['runtime-doctor', ['hasLegacyStreamingAliases'], () => [pick([streaming(), null]), pick([undefined, { includePreviewChunk: true, includeNativeTransport: true }])]],
  ['runtime-doctor', ['normalizeLegacyStreamingAliases'], () => [{ entry: streaming(), pathPrefix: 'p', changes: [], ...streamingOptions() }], withChanges],
  ['runtime-doctor', ['normalizeLegacyDmAliases'], () => [{ entry: dm(), pathPrefix: 'p', changes: [], promoteAllowFrom: pick([undefined, false]) }], withChanges],
  ['runtime-doctor', ['normalizeLegacyChannelAliases'], () => { const options = streamingOptions(); return [{ entry: { ...streaming(), ...dm(), ...pick([{}, { accounts: { a: { ...streaming(), ...dm() }, b: 3 } }]) }, pathPrefix: 'p', changes: [], normalizeDm: pick([true, false]), normalizeAccountDm: pick([true, false]), resolveStreamingOptions: () => options, normalizeAccountExtra: pick([undefined, ({ account }) => ({ entry: { ...account, e: 1 }, changed: true })]) }]; }, withChanges],
];
