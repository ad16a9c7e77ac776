// Rows for messages: envelopes, mentions, history, replies, cards, routes, credentials, directories and status.
import { Fresh, SCALARS, later, list, pick, random, scalar, text } from './kit.mjs';

const flag = () => pick([true, false, undefined]);
const bool = () => pick([true, false]);
const time = () => pick([undefined, 0, 1_700_000_000_000 + random(200_000_000), new Date(1_700_000_000_000), NaN]);
/** Seconds are shown since 2026.6. */
const envelope = () => !later ? { includeTimestamp: false, includeElapsed: flag() } : pick([undefined, {}, { timezone: 'utc' }, { timezone: 'Asia/Tokyo' }, { timezone: 'user', userTimezone: 'Europe/Berlin' }, { timezone: 'nowhere' }, { includeTimestamp: false }, { includeElapsed: false, timezone: 'utc' }]);
const sender = () => pick([undefined, {}, { name: 'Bob', id: '12' }, { username: 'bob', e164: '+1' }, { id: 'x' }, { name: 'A]b', id: 'A]b' }]);
const history = () => list(() => pick([{ sender: 'a', body: 'x', timestamp: 1 }, { sender: 'b', body: 'y', messageId: 'm', media: [] }, { sender: 'c', body: '', media: [{ path: '/p.png' }] }]));
const asMap = () => new Map([['k', history()], ['other', []]]);
const media = () => list(() => pick([{ path: '/a.png' }, { path: ' /a.png ', contentType: 'image/png' }, { path: 'https://x/y.png' }, { path: '/b.txt' }, { path: '/c', kind: 'image', messageId: 'q' }, { kind: 'image' }]));
const historyParams = () => ({ historyMap: asMap(), historyKey: pick(['k', 'n']), limit: pick([0, 1, 5]), entry: pick([undefined, null, { sender: 'z', body: 'new' }]), entries: history(), currentMessage: 'now', historyText: text(), formatEntry: (entry) => `${entry.sender}: ${entry.body}`, lineBreak: pick([undefined, '|']), excludeLast: flag(), media: pick([undefined, media()]), messageId: pick([undefined, 'id']) });
const withMap = (out, [params]) => [out, [...params.historyMap]];
const control = () => pick([{ label: 'A', value: 'a', style: 'Primary' }, { text: 'B', callback_data: 'b' }, { label: 'C', url: ' https://x ' }, { label: 'G' }, null, 'x', ...(later ? [{ label: 'D', web_app: { url: 'https://y' }, priority: 2, disabled: true }, { label: 'E', action: { type: 'command', command: '/e' } }, { label: 'F', action: { type: 'callback', value: 'f' }, value: 'v', reusable: true }] : [])]);
const block = () => pick([{ type: 'text', text: ' hi ' }, { type: 'Context', text: 'c' }, { type: 'divider' }, { type: 'buttons', buttons: list(control) }, { type: 'select', placeholder: pick([undefined, 'Pick']), options: list(control) }, { type: 'x' }, null]);
const card = () => pick([{ title: pick([undefined, 'T']), tone: pick(['info', 'X', undefined]), blocks: list(block) }, scalar()]);
const goodCard = () => ({ title: pick([undefined, 'T']), blocks: list(() => pick([{ type: 'text', text: 'hi' }, { type: 'context', text: 'c' }, { type: 'divider' }, { type: 'buttons', buttons: [{ label: 'A', value: 'a' }, { label: 'C', url: 'https://x' }, ...(later ? [{ label: 'E', action: { type: 'command', command: '/e' } }] : [])] }, { type: 'select', placeholder: pick([undefined, 'Pick']), options: [{ label: 'O', value: 'o' }, ...(later ? [{ label: 'P', value: 'p', action: { type: 'callback', value: 'q' } }] : [])] }])) });
const payload = () => ({ text: pick([undefined, '', ' hello ', 'Reasoning: x', ...(later ? ['> thinking... _y_'] : []), 'NO_REPLY']), mediaUrl: pick([undefined, '', '/a.png']), mediaUrls: pick([undefined, [], ['/b.png', ''], ['/c.png', '/d.png']]), replyToId: pick([undefined, 'r']), audioAsVoice: flag(), isReasoning: flag(), sensitiveMedia: flag(), channelData: pick([undefined, {}, { a: 1 }]), presentation: pick([undefined, goodCard()]), interactive: undefined });
const recorder = () => {
  const sent = [];
  const send = (name) => async (message) => {
    const { payload: _payload, adapter: _adapter, sent: _sent, ...rest } = message;
    sent.push([name, rest]);
    return { messageId: String(sent.length) };
  };
  return { sent, sendText: send('text'), sendMedia: send('media'), send: send('send') };
};
const chunker = (value, limit) => value.match(new RegExp(`.{1,${limit}}`, 'gs')) ?? [];
/** Parameters with functions that note what is sent, for each side its own. */
const fresh = (params, around) => {
  const whole = around?.({});
  return [new Fresh(() => (around ? { ...whole, adapter: { ...params, ...recorder() } } : { ...params, ...recorder() }))];
};
const replyCtx = () => ({ replyToId: pick([undefined, 'r']), replyToMode: pick([undefined, 'off', 'first', 'all', 'batched']), replyToIdSource: pick([undefined, 'explicit', 'implicit']) });
const route = () => ({ channel: pick(['C', 'c', '']), to: pick(['x', ' y ', '']), accountId: pick([undefined, 'A', 'b']), threadId: pick([undefined, 1, '1', ' 2 ', 3.7]) });
const ref = () => pick([undefined, { channel: 'c', target: { to: 'x' }, accountId: pick([undefined, 'a']), thread: pick([undefined, { id: pick([1, '1', '2']) }]) }, { channel: 'c', target: { to: 'y' } }]);
const secretRef = { source: 'env', provider: 'default', id: 'KEY' };
const secretParams = () => {
  const account = () => pick([{}, { token: secretRef }, { token: '${A_B}', enabled: false }, { voice: { token: secretRef, tts: { providers: { p: { apiKey: secretRef }, q: 1 } } } }]);
  const channel = { token: pick([secretRef, 'plain', '${TOKEN}', undefined]), voice: pick([undefined, { token: secretRef, tts: { providers: { p: { apiKey: '${X_Y}' } } } }]) };
  const accounts = [{ accountId: 'a', account: account(), enabled: bool() }, { accountId: 'b', account: account(), enabled: bool() }];
  return { channelKey: 'c', field: 'token', nestedKey: 'voice', channel, surface: { hasExplicitAccounts: bool(), channelEnabled: bool(), accounts }, defaults: undefined, context: { assignments: [], warnings: [], warningKeys: new Set() }, topInactiveReason: 'top is off.', accountInactiveReason: pick(['account is off.', (entry) => `${entry.accountId} is off.`]), topLevelActiveWithoutAccounts: bool(), topLevelInheritedAccountActive: ({ enabled }) => enabled, accountActive: ({ enabled }) => enabled, topLevelActive: bool() };
};
const assigned = (_out, [params]) => {
  params.context.assignments.forEach(({ apply }, index) => apply(`value ${index}`));
  return [params.context.assignments, params.context.warnings, params.channel, params.surface.accounts];
};
const ids = () => pick([undefined, ['bob', 'Bob', '*', ' eve ', 12, '']]);
const directory = () => ({ kind: 'user', sources: [['bob', ' eve ', '*'], ['bob', 5, '']], allowFrom: ids(), groups: pick([undefined, { g1: {}, '*': {}, ' G2 ': {} }]), map: { m1: {}, bob: {} }, query: pick([undefined, null, 'B', ' ']), limit: pick([undefined, 0, 1, 5]), normalizeId: (id) => id.toLowerCase(), normalizeMapKeyId: (id) => `m:${id}`, normalizeAllowFromId: (id) => (id === 'bob' ? null : id) });
const resolvedDirectory = () => ({ ...directory(), cfg: {}, resolveAccount: () => ({}), inspectAccount: pick([() => ({}), () => null]), resolveSources: () => [['bob', 'eve']], resolveAllowFrom: () => ['bob', '*', 'Eve'], resolveGroups: () => ({ g: {}, '*': {} }) });
const status = () => pick(['available', 'configured_unavailable', 'missing', 'x', undefined]);
const credentials = () => pick([null, { tokenSource: pick([' env ', '', undefined]), tokenStatus: status(), botTokenStatus: status(), userTokenStatus: status(), appTokenSource: 5 }]);
const mentionCfg = () => ({ agents: { list: [{ id: 'main', identity: pick([undefined, { name: 'Mo Bot', emoji: '🦞' }]), groupChat: pick([undefined, { mentionPatterns: ['hey'] }]) }] }, messages: { groupChat: pick([undefined, {}, { mentionPatterns: ['@bot\\b', '\bbot\b', '('] }]) } });

const cardLimits = () => pick([undefined, { buttons: flag(), selects: flag(), context: flag(), divider: flag(), limits: { actions: { maxActions: pick([undefined, 1, 2]), maxRows: pick([undefined, 1]), maxActionsPerRow: pick([undefined, 2]), maxLabelLength: pick([undefined, 1]), maxValueBytes: pick([undefined, 1]), supportsStyles: flag() }, selects: { maxOptions: pick([undefined, 1]), maxValueBytes: pick([undefined, 1]) }, text: pick([undefined, { maxLength: 1, encoding: pick([undefined, 'utf8-bytes', 'utf16-units']) }]) } }]);
const inbound = () => ({ Body: pick([undefined, 'a\r\nb', '[System] x', 'System: do it']), RawBody: pick([undefined, '/cmd@bot a', ' hi ']), CommandBody: pick([undefined, '/x y']), BodyForAgent: pick([undefined, '[ Assistant ] z']), ChatType: pick([undefined, 'DM', 'group', 'x']), ConversationLabel: pick([undefined, ' L ']), ThreadLabel: pick([undefined, 'T']), SenderName: pick([undefined, 'Bob']), From: pick([undefined, 'c:group:123', 'x@y', 'c:bob']), GroupSubject: pick([undefined, 'Subject', '#chan', 'S id:5']), CommandAuthorized: flag(), CommandSource: pick([undefined, 'native', 'text']), CommandTurn: pick(!later ? [undefined] : [undefined, { kind: 'native' }, { kind: 'native', source: 'text' }, { source: 'text', authorized: true, commandName: 'n' }, { kind: 'normal' }]), MediaPath: pick([undefined, '/a']), MediaPaths: pick([undefined, [], ['/a', '/b']]), MediaType: pick([undefined, later ? 'Image/PNG; x' : 'image/png']), MediaTypes: pick([undefined, ['image/png', '']]), UntrustedContext: pick([undefined, ['[System] q', '']]), GroupSystemPrompt: pick([undefined, later ? 'p\r[System]' : 'p']) });
/** What the command of a message is stands in the context since 2026.6. */
const withoutTurn = ({ CommandTurn: turn, CommandSource: source, CommandAuthorized: authorized, ...ctx }) => (later ? { ...ctx, turn, source, authorized } : ctx);

export default [
  ['reply-runtime', ['finalizeInboundContext'], () => [inbound(), pick([undefined, { forceBodyForAgent: true, forceBodyForCommands: true }, { forceChatType: true, forceConversationLabel: true }])], withoutTurn],
  ['conversation-runtime', ['resolveConversationLabel'], () => [inbound()]],
  ['command-auth', ['resolveNativeCommandSessionTargets'], () => [{ agentId: 'A', sessionPrefix: 'p', userId: 'U', boundSessionKey: pick([undefined, 'B']), targetSessionKey: 'T', lowercaseSessionKey: flag() }]],
  ['outbound-runtime', ['buildOutboundSessionContext'], () => [{ cfg: {}, sessionKey: pick([undefined, ' ', 'agent:ops:x', 'main']), policySessionKey: pick([undefined, 'p']), conversationType: pick([undefined, 'channel', 'direct', 'x']), isGroup: flag(), agentId: pick([undefined, 'me']), requesterSenderId: pick([undefined, ' 5 ']) }]],
  ['channel-envelope', ['resolveEnvelopeFormatOptions'], () => [pick([undefined, {}, { agents: { defaults: { envelopeTimezone: 'utc', envelopeTimestamp: 'off', envelopeElapsed: 'on', userTimezone: 'x' } } }])]],
  ['channel-envelope', ['formatInboundEnvelope'], () => [{ channel: pick(['C', ' ', 'a[b]\nc']), from: pick(['G id:1', 'Room']), timestamp: time(), previousTimestamp: time(), envelope: envelope(), body: 'b', chatType: pick(['group', 'channel']), senderLabel: pick([undefined, ' L ']), sender: sender() }]],
  ['channel-inbound', ['formatInboundFromLabel'], () => [{ isGroup: bool(), groupLabel: pick([undefined, ' ', 'G']), groupFallback: pick([undefined, 'F']), groupId: pick([undefined, ' 1 ']), directLabel: ' Bob ', directId: pick([undefined, 'Bob', '7']) }]],
  ['channel-inbound', ['mergeInboundPathRoots'], () => [pick([undefined, ['/a', '/a/', 'rel', '/b/*/c', '/x*y']]), ['/a', '/', 5]]],
  ['channel-location', ['formatLocationText', 'toLocationContext'], () => [{ latitude: 1.23456789, longitude: -2, accuracy: pick([undefined, 3.6, NaN]), name: pick([undefined, 'N']), isLive: flag(), source: pick([undefined, 'live', 'pin']), caption: 'c' }]],
  ['channel-mention-gating', ['resolveMentionGating'], () => [{ requireMention: bool(), canDetectMention: bool(), wasMentioned: bool(), implicitMention: flag(), shouldBypassMention: flag() }]],
  ['channel-mention-gating', ['resolveMentionGatingWithBypass'], () => [{ isGroup: bool(), requireMention: bool(), canDetectMention: bool(), wasMentioned: bool(), hasAnyMention: flag(), implicitMention: flag(), allowTextCommands: bool(), hasControlCommand: bool(), commandAuthorized: bool() }]],
  ['channel-mention-gating', ['normalizeMentionText'], () => [pick([...SCALARS.filter((value) => typeof value === 'string'), 'A\u200bB'])]],
  ['channel-mention-gating', ['buildMentionRegexes'], () => [mentionCfg(), pick(['main', undefined])], (out) => out.map((pattern) => pattern.source)],
  ['channel-inbound', ['matchesMentionPatterns'], () => [pick(['hey Bot', '', '\u200b']), [/bot/i]]],
  ['channel-inbound', ['matchesMentionWithExplicit'], () => [{ text: pick(['hey bot', '', 'x']), mentionRegexes: [/bot/i], explicit: pick([undefined, { hasAnyMention: bool(), isExplicitlyMentioned: bool(), canResolveExplicit: bool() }]), transcript: pick([undefined, 'bot please']) }]],
  ['channel-inbound', ['filterChannelTurnSupplementalContext'], () => [{ contextVisibility: pick([undefined, 'all', 'allowlist', 'allowlist_quote']), supplemental: pick([undefined, { quote: { senderAllowed: flag() }, forwarded: { senderAllowed: flag() }, thread: {}, other: 1 }]) }]],
  ['channel-inbound-debounce', ['resolveInboundDebounceMs'], () => [{ cfg: pick([{}, { messages: { inbound: { debounceMs: 5.5, byChannel: pick([undefined, { c: 7 }]) } } }]), channel: 'c', overrideMs: pick([undefined, NaN, 3, -1]) }]],
  ['command-detection', ['hasInlineCommandTokens'], () => [pick([text(), 'a /b', '!x', 'a/b', undefined])]],
  ['command-primitives-runtime', ['isAbortRequestText', 'isBtwRequestText'], () => [pick([undefined, '', 'Stop!', '/stop', '/stop@bot', ' please STOP. ', 'stopping', '/btw: what', '/btw', '/btwx', 'don’t']), pick([undefined, { botUsername: 'bot' }])]],
  ['context-visibility-runtime', ['evaluateSupplementalContextVisibility', 'shouldIncludeSupplementalContext'], () => [{ mode: pick(['all', 'allowlist', 'allowlist_quote']), kind: pick(['quote', 'thread']), senderAllowed: flag() }]],
  ['context-visibility-runtime', ['filterSupplementalContextItems'], () => [{ items: [1, 2, 3], mode: pick(['all', 'allowlist']), kind: 'thread', isSenderAllowed: (item) => item > 1 }]],
  ['group-activation', ['normalizeGroupActivation'], () => [pick([' Mention ', 'ALWAYS', 'x', undefined])]],
  ['group-activation', ['parseActivationCommand'], () => [pick([undefined, '', '/activation', '/activation always', '/Activation: mention ', '/activation:always', '/activation x', '/activation x y', 'activation'])]],
  ['inbound-envelope', ['createInboundEnvelopeBuilder'], () => [{ cfg: {}, route: { agentId: 'a', sessionKey: 's' }, sessionStore: 'p', resolveStorePath: (store, { agentId }) => `${store}/${agentId}`, readSessionUpdatedAt: () => 5, resolveEnvelopeFormatOptions: () => ({ o: 1 }), formatAgentEnvelope: JSON.stringify }], (build) => build({ channel: 'c', from: 'f', body: 'b', timestamp: 9 })],
  ['interactive-runtime', ['normalizeMessagePresentation', 'normalizeInteractiveReply', 'hasMessagePresentationBlocks', 'hasInteractiveReplyBlocks'], () => [card()]],
  ['interactive-runtime', ['presentationToInteractiveReply', 'presentationToInteractiveControlsReply', 'interactiveReplyToPresentation'], () => [{ ...goodCard(), blocks: goodCard().blocks.filter(({ type }) => ['text', 'buttons', 'select'].includes(type)) }]],
  ['interactive-runtime', ['renderMessagePresentationFallbackText'], () => [{ text: pick([undefined, ' t ']), presentation: pick([undefined, goodCard()]), emptyFallback: pick([undefined, 'e']) }]],
  ['interactive-runtime', ['resolveInteractiveTextFallback'], () => [{ text: pick([undefined, '', 't']), interactive: pick([undefined, { blocks: [{ type: 'text', text: ' a ' }, { type: 'buttons', buttons: [] }] }]) }]],
  ['interactive-runtime', ['hasReplyChannelData'], () => [pick([scalar(), { a: 1 }])]],
  ['interactive-runtime', ['hasReplyContent'], () => [{ ...payload(), hasChannelData: flag(), extraContent: flag() }]],
  ['reply-history', ['buildHistoryContext', 'buildHistoryContextFromEntries', 'buildHistoryContextFromMap', 'buildPendingHistoryContextFromMap', 'recordPendingHistoryEntryIfEnabled', 'clearHistoryEntries', 'clearHistoryEntriesIfEnabled'], () => [historyParams()], withMap],
  ['reply-history', ['buildInboundHistoryFromEntries', 'buildInboundHistoryFromMap', 'normalizeHistoryMediaEntries', 'recordPendingHistoryEntryWithMedia'], () => [historyParams()], withMap],
  ['reply-history', ['recordPendingHistoryEntry'], () => [{ ...historyParams(), entry: { sender: 'z', body: 'new' } }], withMap],
  ['reply-history', ['evictOldHistoryKeys'], () => [new Map([['a', 1], ['b', 2], ['c', 3]]), random(4)], (_out, [map]) => [...map]],
  ['reply-reference', ['isSingleUseReplyToMode'], () => [pick(['off', 'first', 'all', 'batched'])]],
  ['reply-reference', ['resolveBatchedReplyThreadingPolicy'], () => [pick(['off', 'batched']), bool()]],
  ['reply-reference', ['createReplyReferencePlanner'], () => [{ replyToMode: pick(['off', 'first', 'all', 'batched']), existingId: pick([undefined, ' ', 'e']), startId: pick([undefined, 's']), allowReference: flag(), hasReplied: flag() }], (plan) => [plan.peek(), plan.use(), plan.peek(), plan.use(), plan.hasReplied()]],
  ['outbound-runtime', ['createReplyToFanout'], () => [replyCtx()], (next) => [next(), next(), next()]],
  ['reply-chunking', ['isSilentReplyText', 'isSilentReplyPayloadText'], () => [pick([undefined, '', 'NO_REPLY', ...(later ? ['<think>a</think>NO_REPLY', '<think>a</think> I will stay silent. NO_REPLY', 'reasoning\nyou should try it\nI have nothing to add\nNO_REPLY', '"NO_REPLY"', ' no_reply NO_REPLY ', '<think>nothing to add NO_REPLY', 'Thinking:\nnobody asked.\nI will not reply.\nNO_REPLY', 'Thinking:\ninternal reasoning notes\nNO_REPLY'] : []), '{"action":"NO_REPLY"}', '{"action":"NO_REPLY","x":1}', 'say NO_REPLY']), pick([undefined, 'SKIP'])]],
  ['reply-payload', ['isReasoningReplyPayload', 'hasOutboundText', 'hasOutboundReplyContent', 'normalizeOutboundReplyPayload'], () => [payload(), pick([undefined, { trim: true }, { trimText: true }])]],
  ['reply-payload', ['isNumericTargetId'], () => [text()]],
  ['reply-payload', ['formatTextWithAttachmentLinks'], () => [pick([undefined, ' a ']), list()]],
  ['reply-payload', ['buildMediaPayload'], () => [list(() => pick([{ path: '/a', contentType: 'image/png' }, { path: '/b' }])), pick([undefined, { preserveMediaTypeCardinality: true }])]],
  ['reply-payload', ['deliverFormattedTextWithAttachments'], () => fresh({ payload: payload() }), (out, [params]) => [out, params.sent]],
  ['reply-payload', ['sendPayloadMediaSequence', 'sendPayloadMediaSequenceOrFallback', 'sendPayloadMediaSequenceAndFinalize'], () => fresh({ text: 't', mediaUrls: list(), fallbackResult: 'f', sendNoMedia: pick([undefined, async () => 'none']), finalize: async () => 'end' }), (out, [params]) => [out, params.sent]],
  ['reply-payload', ['sendPayloadWithChunkedTextAndMedia'], () => fresh({ ctx: { payload: payload(), to: 'x' }, textChunkLimit: pick([undefined, 3]), chunker, emptyResult: 'e' }), (out, [params]) => [out, params.sent]],
  ['reply-payload', ['sendTextMediaPayload'], () => fresh({ textChunkLimit: pick([undefined, 3]), chunker }, (adapter) => ({ channel: 'c', adapter, ctx: { payload: payload(), ...replyCtx() } })), (out, [params]) => [out, params.adapter.sent]],
  ['channel-route', ['channelRouteKey', 'channelRouteCompactKey', 'channelRouteIdentityKey'], () => [pick([route(), ref()])]],
  ['channel-route', ['channelRoutesMatchExact', 'channelRoutesShareConversation'], () => [{ left: ref(), right: ref() }]],
  ['channel-route', ['channelRouteTargetsShareConversation'], () => [{ left: route(), right: route() }]],
  ['channel-route', ['stringifyRouteThreadId', 'normalizeRouteThreadId'], () => [scalar()]],
  ['channel-route', ['resolveChannelRouteTargetWithParser'], () => [{ channel: pick(['C', '']), rawTarget: pick([undefined, ' t ']), fallbackThreadId: pick([undefined, 5]), parseExplicitTarget: pick([() => null, () => ({ to: 'p', threadId: '9', chatType: 'group' })]) }]],
  ['channel-secret-basic-runtime', ['collectConditionalChannelFieldAssignments', 'collectNestedChannelFieldAssignments'], () => [secretParams()], assigned],
  ['channel-secret-basic-runtime', ['collectSimpleChannelFieldAssignments'], () => [{ ...secretParams(), accountInactiveReason: 'account is off.' }], assigned],
  ['channel-secret-tts-runtime', ['collectNestedChannelTtsAssignments'], () => [secretParams()], assigned],
  ['channel-secret-basic-runtime', ['hasConfiguredSecretInputValue', 'normalizeSecretStringValue', 'isEnabledFlag'], () => [pick([scalar(), { enabled: false }])]],
  ['channel-secret-basic-runtime', ['getChannelSurface', 'getChannelRecord'], () => [{ channels: pick([undefined, { c: 1 }, { c: { enabled: flag(), accounts: pick([undefined, {}, { a: { enabled: false }, b: 1, d: {} }]) } }]) }, 'c']],
  ['channel-plugin-common', ['clearAccountEntryFields'], () => [{ accounts: pick([undefined, { default: { token: 'x', y: 1 } }, { a: { token: ' ' } }, { a: 5 }]), accountId: pick(['a', '', 'default']), fields: ['token', 'z'], markClearedOnFieldPresence: flag() }]],
  ['directory-config-runtime', ['listDirectoryEntriesFromSources', 'listDirectoryGroupEntriesFromMapKeys', 'listDirectoryGroupEntriesFromMapKeysAndAllowFrom', 'listDirectoryUserEntriesFromAllowFrom', 'listDirectoryUserEntriesFromAllowFromAndMapKeys', 'collectNormalizedDirectoryIds'], () => [directory()]],
  ['directory-config-runtime', ['listResolvedDirectoryEntriesFromSources', 'listInspectedDirectoryEntriesFromSources', 'listResolvedDirectoryGroupEntriesFromMapKeys', 'listResolvedDirectoryUserEntriesFromAllowFrom'], () => [resolvedDirectory()]],
  ['channel-status', ['projectCredentialSnapshotFields', 'resolveConfiguredFromCredentialStatuses'], () => [credentials()]],
  ['channel-status', ['resolveConfiguredFromRequiredCredentialStatuses'], () => [credentials(), ['tokenStatus', 'botTokenStatus']]],
  ['status-helpers', ['appendMatchMetadata'], () => ['m', { matchKey: scalar(), matchSource: scalar() }]],
  ['status-helpers', ['formatMatchMetadata', 'resolveEnabledConfiguredAccountId'], () => [{ matchKey: scalar(), matchSource: scalar(), accountId: pick([undefined, ' a ', 5]), enabled: flag(), configured: flag() }]],
  ['status-helpers', ['resolveReactionLevel'], () => [{ value: pick([scalar(), 'off', 'ack', ' minimal ', 'extensive']), defaultLevel: pick(['off', 'ack', 'minimal']), invalidFallback: pick(['ack', 'minimal']) }]],
  ['status-helpers', ['asString'], () => [scalar()]],
  ['status-helpers', ['buildWebhookChannelStatusSummary'], () => [{ configured: true, running: flag(), mode: pick([undefined, 'm']) }, pick([undefined, { x: 1 }])]],
  ...(later ? [
    ['interactive-runtime', ['adaptMessagePresentationForChannel'], () => [{ presentation: goodCard(), capabilities: cardLimits() }]],
    ['interactive-runtime', ['applyPresentationActionLimits'], () => [[{ label: 'A', value: 'a' }, { label: 'Bravo', value: 'long value', priority: 2 }, { label: 'C', url: 'https://x', disabled: bool() }], cardLimits()]],
    ['interactive-runtime', ['presentationPageSize'], () => [cardLimits(), pick([undefined, 0, 2]), pick([undefined, 4])]],
  ] : []),
  ['direct-dm', ['resolveInboundDirectDmAccessWithRuntime'], () => [{ cfg: { accessGroups: { ops: { type: 'message.senders', members: { '*': ['eve'] } } }, commands: pick([undefined, { useAccessGroups: false }]) }, channel: 'c', accountId: 'a', dmPolicy: pick([undefined, 'open', 'allowlist', 'disabled', 'pairing']), allowFrom: pick([undefined, [], ['bob'], ['*'], ['accessGroup:ops']]), senderId: pick(['bob', 'eve']), rawBody: '/x', isSenderAllowed: (id, entries) => entries.includes(id) || entries.includes('*'), readStoreAllowFrom: async () => ['eve'], runtime: { shouldComputeCommandAuthorized: pick([() => true, () => false]), resolveCommandAuthorizedFromAuthorizers: pick([undefined, ({ authorizers }) => authorizers[0].allowed]) } }]],
  ['command-auth', ['resolveSenderCommandAuthorization'], () => [{ cfg: { commands: pick([undefined, { useAccessGroups: false }]) }, rawBody: '/x', isGroup: bool(), dmPolicy: pick(['open', 'allowlist', 'pairing']), senderId: pick(['bob', 'eve']), channel: pick([undefined, 'c']), configuredAllowFrom: pick([[], ['bob'], ['*']]), configuredGroupAllowFrom: pick([undefined, ['eve']]), isSenderAllowed: (id, entries) => entries.includes(id) || entries.includes('*'), readAllowFromStore: pick([async () => ['eve'], async () => { throw new Error('x'); }]), shouldComputeCommandAuthorized: pick([() => true, () => false]), resolveCommandAuthorizedFromAuthorizers: pick([undefined, ({ authorizers }) => authorizers.some((row) => row.allowed)]) }]],
  ['command-auth', ['resolveDirectDmAuthorizationOutcome'], () => [{ isGroup: bool(), dmPolicy: pick(['disabled', 'open']), senderAllowedForCommands: bool() }]],
  ['conversation-runtime', ['toPluginConversationBinding', 'isPluginOwnedSessionBindingRecord'], () => [pick([null, { bindingId: 'b', boundAt: 1, conversation: { channel: 'c', accountId: 'a', conversationId: 'x' }, metadata: pick([undefined, { pluginBindingOwner: 'plugin', pluginId: 'p', pluginRoot: '/r', summary: 's' }, { pluginId: 'p' }]) }])]],
  ['reply-runtime', ['stripHeartbeatToken'], () => [pick([undefined, ' ', 'HEARTBEAT_OK', '**HEARTBEAT_OK**', 'HEARTBEAT_OK.', 'done HEARTBEAT_OK!', 'HEARTBEAT_OK all fine', 'a HEARTBEAT_OK b', 'nothing', '<b>HEARTBEAT_OK</b>']), pick([undefined, { mode: 'heartbeat' }, { mode: 'heartbeat', maxAckChars: '3' }])]],
  ['reply-runtime', ['resolveHeartbeatReplyPayload'], () => [pick([undefined, { text: 'a' }, [], [{ text: 'a' }, { text: '' }, null], [{ text: 'a' }, { text: 'b' }]])]],
  ['channel-runtime', ['resolveHeartbeatVisibility'], () => [{ cfg: { channels: { defaults: { heartbeat: { showOk: flag() } }, c: { heartbeat: { showAlerts: flag() }, accounts: { a: { heartbeat: { useIndicator: flag() } } } } } }, channel: pick(['c', 'webchat', 'd']), accountId: pick([undefined, 'a']) }]],
  ['channel-runtime', ['resolveIndicatorType'], () => [pick(['ok-empty', 'ok-token', 'sent', 'failed', 'skipped', 'x'])]],
];
