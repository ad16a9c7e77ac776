// Rows for drafts, previews, delivery contracts, thread bindings, directives and plain texts.
import { Fresh, SCALARS, later, list, pick, random, scalar, text } from './kit.mjs';

const flag = () => pick([true, false, undefined]);
const bool = () => pick([true, false]);
const capabilities = () => pick([undefined, {}, { text: true, batch: true, draftPreview: true, finalEdit: flag(), media: 'x' }]);
const receive = () => pick([undefined, {}, { defaultAckPolicy: 'manual' }, { supportedAckPolicies: ['manual', 'after_durable_send', 'x'], defaultAckPolicy: 'after_receive_record' }]);
const proofs = () => pick([{}, { text: () => {}, batch: () => {}, draftPreview: () => {}, finalEdit: () => {}, manual: () => {}, after_durable_send: () => {} }]);
/** A capability that came with 2026.6. */
const withoutPoll = (rows) => rows.filter(({ capability }) => capability !== 'poll');
const dispatch = () => [pick([undefined, null, {}, { queuedFinal: bool(), counts: { final: random(2), block: random(2) } }]), pick([undefined, {}, { fallbackDelivered: flag(), observedReplyDelivery: flag(), deliverySummaryDelivered: flag() }])];
const state = () => pick([{ phase: 'idle', canFinalizeInPlace: bool() }, { phase: 'previewing', receipt: { r: 1 }, canFinalizeInPlace: true }]);
const receipt = { sentAt: 5, platformMessageIds: ['p'], parts: [] };

/** A preview with functions that note what is done, for each side its own. */
const preview = () => {
  const [kind, hasDraft, id, edit, fails, retain, delivers, seal, discard] = [pick(['final', 'block']), bool(), pick([undefined, 'm1']), pick([undefined, { e: 1 }]), bool(), pick([undefined, 'retain', 'fallback']), pick([undefined, false, true]), bool(), bool()];
  return [new Fresh(() => {
    const log = [];
    const note = (name, value) => async (...args) => {
      log.push([name, args.filter((arg) => ['string', 'number'].includes(typeof arg))]);
      return value;
    };
    const draft = { flush: note('flush'), id: () => id, clear: note('clear'), ...(seal ? { seal: note('seal') } : {}), ...(discard ? { discardPending: note('discard') } : {}) };
    const editFinal = fails ? async () => { log.push(['edit fails']); throw new Error('no'); } : note('edit');
    return { kind, payload: { text: 't' }, log, draft: hasDraft ? draft : undefined, buildFinalEdit: () => edit, editFinal, deliverNormally: note('deliver', delivers), onNormalDelivered: note('delivered'), onPreviewFinalized: note('finalized'), handlePreviewEditError: retain ? note('error', retain) : undefined, logPreviewEditFailure: () => log.push(['logged']), createPreviewReceipt: () => receipt };
  })];
};
const seen = (out, [params]) => [out, params.log];
const binding = () => ({ enabled: flag(), idleHours: pick([undefined, 1.5, -1, NaN, '2']), maxAgeHours: pick([undefined, 0, 3]), spawnSessions: flag(), spawnSubagentSessions: flag(), defaultSpawnContext: pick([undefined, 'isolated', 'x']) });
const bindingCfg = () => ({ session: pick([undefined, { threadBindings: binding() }]), channels: { c: { threadBindings: pick([undefined, binding()]), accounts: { work: { threadBindings: binding() } } } } });
const directive = () => pick(['plain  text ', 'a [[reply_to_current]] b', '[[ reply_to : 12 ]]x', 'x[[audio_as_voice]]y', 'a\n\n\n\nb [[audio_as_voice]]  ', '```\nkeep  [[x]]\n```\n[[reply_to:  ]]', '[[nothing]]', '', 'a\r\nb   c[[reply_to_current]]']);
const thoughts = () => pick(['plain', '<think>a</think>b', 'a<think>b', 'before</think>after', '</think>after', '<think>only', '`<think>x</think>` y', '<final>x</final>', 'x<think>a<think>b</think>c</think>d', '<thinking>a</thinking> b ', '```\n<think>a</think>\n```']);
const marks = () => pick(['**b** _i_ ~~s~~', '# H\n> q\n---\n`c`', 'a*b*c', 'x_y_z', '__u__\n\n\n\nv', '*a* **b**']);
const html = () => pick(['<b>x</b> <i>y</i>', '<https://x.y> a<br/>b', '<h1>T</h1><li>one</li>', '<p>a</p><div>b</div>', 'a < b > c', '<code>x</code><del>y</del><<b>script>z']);
const tags = () => pick([undefined, null, 'x', [], [{ name: 'a', id: '1', moderated: true, emoji_id: null, emoji_name: 5 }, { id: '2' }, null], [{ name: 'b', emoji_name: 'x', more: 1 }]]);

export default [
  ['channel-message', ['listDeclaredDurableFinalCapabilities', 'listDeclaredChannelMessageLiveCapabilities', 'listDeclaredLivePreviewFinalizerCapabilities'], () => [capabilities()]],
  ['channel-message', ['listDeclaredReceiveAckPolicies'], () => [receive()]],
  ['channel-message', ['verifyDurableFinalCapabilityProofs', 'verifyChannelMessageLiveCapabilityProofs', 'verifyLivePreviewFinalizerCapabilityProofs', 'verifyChannelMessageReceiveAckPolicyProofs'], () => [{ adapterName: 'A', capabilities: capabilities(), receive: receive(), proofs: proofs() }], withoutPoll],
  ['channel-message', ['verifyChannelMessageAdapterCapabilityProofs', 'verifyChannelMessageLiveCapabilityAdapterProofs', 'verifyChannelMessageLiveFinalizerProofs', 'verifyChannelMessageReceiveAckPolicyAdapterProofs'], () => [{ adapterName: 'A', adapter: { durableFinal: { capabilities: capabilities() }, live: pick([undefined, { capabilities: capabilities(), finalizer: { capabilities: capabilities() } }]), receive: receive() }, proofs: proofs() }], withoutPoll],
  ['channel-message', ['hasFinalChannelTurnDispatch', 'hasVisibleChannelTurnDispatch', 'hasFinalChannelMessageReplyDispatch', 'hasVisibleChannelMessageReplyDispatch', 'resolveChannelTurnDispatchCounts'], dispatch],
  ['inbound-reply-dispatch', ['hasFinalInboundReplyDispatch', 'hasVisibleInboundReplyDispatch', 'resolveInboundReplyDispatchCounts'], dispatch],
  ['channel-message', ['deriveDurableFinalDeliveryRequirements'], () => [{ payload: { mediaUrl: pick([undefined, ' ', 'x']), mediaUrls: pick([undefined, [], ['y']]), replyToId: pick([undefined, 'r']) }, replyToId: pick([undefined, null, 'q']), threadId: pick([undefined, 0]), silent: flag(), messageSendingHooks: flag(), payloadTransport: flag(), batch: flag(), reconcileUnknownSend: flag(), afterSendSuccess: flag(), afterCommit: flag(), extraCapabilities: pick([undefined, { nativeQuote: flag() }]) }]],
  ['channel-message', ['classifyDurableSendRecoveryState'], () => [{ failed: flag(), suppressed: flag(), hasReceipt: bool(), hasIntent: bool(), platformSendMayHaveStarted: bool() }]],
  ['channel-message', ['createDurableMessageStateRecord'], () => [{ intent: { i: 1 }, state: pick([undefined, 'failed']), receipt: pick([undefined, receipt]), updatedAt: 3, error: pick([undefined, 'why', new Error('e')]) }]],
  ['channel-message', ['shouldAckMessageAfterStage'], () => [pick(['after_receive_record', 'after_agent_dispatch', 'after_durable_send', 'manual', 'x']), pick(['receive_record', 'agent_dispatch', 'durable_send'])]],
  ['channel-message', ['createMessageReceiveContext'], () => [{ id: 'i', channel: 'c', accountId: pick([undefined, 'a']), message: 'm', ackPolicy: pick([undefined, 'manual']), receivedAt: 1 }], async (context) => {
    await context.nack('bad');
    const after = [context.ackState, context.nackErrorMessage, context.shouldAckAfter('receive_record')];
    await context.ack();
    const { signal: _signal, ackedAt, ...rest } = context;
    return [after, rest, typeof ackedAt];
  }],
  ['channel-message', ['createLiveMessageState'], () => [pick([undefined, {}, { receipt, lastRendered: 'x' }, { canFinalizeInPlace: true }])]],
  ['channel-message', ['markLiveMessageCancelled', 'markLiveMessageFinalized', 'markLiveMessagePreviewUpdated'], () => [state(), 'v']],
  ['channel-message', ['createPreviewMessageReceipt'], () => [{ id: pick([5, 'x']), threadId: pick([undefined, 't']), replyToId: pick([undefined, 'r']), sentAt: 9, raw: pick([undefined, { r: 1 }]) }]],
  ['channel-message', ['deliverFinalizableLivePreview'], preview, seen],
  ['channel-lifecycle', ['deliverFinalizableDraftPreview'], preview, seen],
  ['channel-lifecycle', ['takeMessageIdAfterStop', 'clearFinalizableDraftMessage'], () => {
    const [id, fails] = [pick([undefined, 'm']), bool()];
    return [new Fresh(() => {
      const log = [];
      return { log, stopForClear: async () => log.push('stop'), readMessageId: () => id, clearMessageId: () => log.push('clear'), isValidMessageId: Boolean, deleteMessage: async (given) => { log.push(given); if (fails) throw new Error('no'); }, onDeleteSuccess: () => log.push('done'), warn: (line) => log.push(line), warnPrefix: 'W' };
    })];
  }, seen],
  ['channel-actions', ['parseAvailableTags'], () => [tags()]],
  ['channel-actions', ['withNormalizedTimestamp'], () => [pick([{}, { timestampMs: 5 }, { timestampUtc: ' ' }, { timestampUtc: 'x', timestampMs: NaN }]), pick([scalar(), 1_700_000_000, 1_700_000_000_000, '1700000000', '1700000000000', '1700000000.5', '2026-01-02T03:04:05Z', new Date(5), new Date(NaN)])]],
  ['channel-actions', ['stringEnum', 'optionalStringEnum'], () => [pick([['a', 'b'], { X: 'x', Y: 1 }, []]), pick([undefined, { description: 'd' }])]],
  ['channel-actions', ['listTokenSourcedAccounts'], () => [[{ tokenSource: 'none' }, { tokenSource: 'env' }, {}]]],
  ['channel-policy', ['coerceNativeSetting'], () => [pick([scalar(), true, 'auto', 'x'])]],
  ['conversation-runtime', ['resolveThreadBindingsEnabled'], () => [{ channelEnabledRaw: scalar(), sessionEnabledRaw: scalar() }]],
  ['conversation-runtime', ['resolveThreadBindingIdleTimeoutMs', 'resolveThreadBindingMaxAgeMs'], () => [{ channelIdleHoursRaw: pick([scalar(), 2]), sessionIdleHoursRaw: scalar(), channelMaxAgeHoursRaw: pick([scalar(), 1e9]), sessionMaxAgeHoursRaw: scalar() }]],
  ['conversation-runtime', ['resolveThreadBindingIdleTimeoutMsForChannel', 'resolveThreadBindingMaxAgeMsForChannel', 'resolveThreadBindingSpawnPolicy'], () => [{ cfg: bindingCfg(), channel: pick(['c', ' C ']), accountId: pick([undefined, 'work']), kind: pick(['subagent', 'acp']) }]],
  ['conversation-runtime', ['resolveThreadBindingLifecycle', 'resolveThreadBindingEffectiveExpiresAt'], () => [{ record: { boundAt: 100, lastActivityAt: pick([50, 200]), idleTimeoutMs: pick([undefined, 0, 10.5, -4]), maxAgeMs: pick([undefined, 0, 20]) }, defaultIdleTimeoutMs: pick([0, 30]), defaultMaxAgeMs: pick([0, 200]) }]],
  ['conversation-runtime', ['formatThreadBindingDurationLabel'], () => [pick([0, -1, 59_000, 60_000, 5_400_000, 7_200_000, random(10_000_000)])]],
  ['conversation-runtime', ['resolveThreadBindingConversationIdFromBindingId'], () => [{ accountId: 'a', bindingId: pick([undefined, '', 'a:x', 'b:x', ' a: y ', 'a:']) }]],
  ['conversation-runtime', ['resolveThreadBindingThreadName'], () => [{ label: pick([undefined, ' ', 'L\nm', 'x'.repeat(120)]), agentId: pick([undefined, 'main']) }]],
  ['text-runtime', ['parseInlineDirectives'], () => [directive(), pick([undefined, { currentMessageId: ' 9 ' }, { stripAudioTag: false, stripReplyTags: false }])]],
  ['text-chunking', ['stripInlineDirectiveTagsForDelivery', 'stripInlineDirectiveTagsForDisplay'], () => [directive()]],
  ['text-chunking', ['stripInlineDirectiveTagsFromMessageForDisplay'], () => [pick([undefined, {}, { content: directive() }, { role: 'x', content: [{ type: 'text', text: directive() }, { type: 'image' }, null] }])]],
  ['text-chunking', ['stripReasoningTagsFromText'], () => [thoughts(), pick([undefined, { mode: 'preserve' }, { trim: 'none' }, { trim: 'start', mode: 'strict' }])]],
  ['text-chunking', ['findCodeRegions'], () => [pick(['a `b` c', '```\nx\n```', '`a` ```\nb', 'x'])]],
  ['text-chunking', ['stripMarkdown'], () => [marks()]],
  ['text-chunking', ['chunkItems'], () => [list(), random(4)]],
  ['text-chunking', ['hasSystemMark', 'prefixSystemMessage'], () => [pick(['', ' a ', '⚙️ b'])]],
  ['text-autolink-runtime', ['isAutoLinkedFileRef'], () => [pick(['http://README.md', 'https://a/b.py', 'http://x.com', 'a.b/c.go', 'http://.md']), pick(['README.md', 'a/b.py', 'x.com', 'a.b/c.go', '.md'])]],
  ['outbound-runtime', ['sanitizeForPlainText'], () => [html()]],
  ['text-utility-runtime', ['clamp', 'clampInt', 'clampNumber'], () => [pick([1.5, -3, 9]), 0, 5]],
  ['text-utility-runtime', ['truncateUtf16Safe'], () => [pick([text(), 'a😀b', '😀😀']), random(5) - 1]],
  ['text-utility-runtime', ['sliceUtf16Safe'], () => [pick(['a😀b', '😀😀', 'abc']), random(6) - 3, pick([undefined, random(6) - 3])]],
  ['text-utility-runtime', ['safeParseJson'], () => [pick(['{', '{"a":1}', '', 'null'])]],
  ['text-utility-runtime', ['shortenHomePath', 'shortenHomeInString', 'displayPath', 'displayString'], () => [pick([`${process.env.HOME}/x`, process.env.HOME, '/etc', `a ${process.env.HOME} b`, ''])]],
  ...(later ? [['text-chunking', ['sanitizeTerminalText'], () => [pick([...SCALARS.filter((value) => typeof value === 'string'), 'a\u001b[31mb\u0007\n\tc'])]]] : []),
];
