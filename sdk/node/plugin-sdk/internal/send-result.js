// Results of sending, and receipts of what was sent.

export const attachChannelToResult = (channel, result) => ({ channel, ...result });
export const attachChannelToResults = (channel, results) => results.map((result) => attachChannelToResult(channel, result));
export const buildChannelSendResult = (channel, result) => ({
  channel,
  ok: result.ok,
  messageId: result.messageId ?? '',
  error: result.error ? new Error(result.error) : undefined,
});
export const createEmptyChannelResult = (channel, result = {}) => attachChannelToResult(channel, { messageId: '', ...result });

/** Send functions whose results name their channel. */
export function createAttachedChannelResultAdapter({ channel, ...senders }) {
  const attach = (send) => (send ? async (ctx) => attachChannelToResult(channel, await send(ctx)) : undefined);
  return { sendText: attach(senders.sendText), sendMedia: attach(senders.sendMedia), sendPoll: attach(senders.sendPoll) };
}

/** Send functions that answer `{ok, messageId, error}`. @param {any} params @returns {any} */
export function createRawChannelSendResultAdapter({ channel, sendText, sendMedia }) {
  const wrap = (send) => (send ? async (ctx) => buildChannelSendResult(channel, await send(ctx)) : undefined);
  return { sendText: wrap(sendText), sendMedia: wrap(sendMedia) };
}

function ownId(result) {
  return result.messageId || result.chatId || result.channelId || result.roomId || result.conversationId || result.toJid || result.pollId;
}

const nested = (receipt) => Boolean(receipt && (receipt.parts.length > 0 || receipt.platformMessageIds.length > 0 || receipt.primaryPlatformMessageId));

function partsOf(result, index, { kind = 'unknown', threadId, replyToId }) {
  const context = { ...(threadId ? { threadId } : {}), ...(replyToId ? { replyToId } : {}) };
  const { receipt } = result;
  if (nested(receipt) && receipt.parts.length > 0) {
    return receipt.parts.map((part, position) => ({
      ...part,
      index: part.index ?? position,
      ...(!part.threadId && threadId ? { threadId } : {}),
      ...(!part.replyToId && replyToId ? { replyToId } : {}),
    }));
  }
  if (nested(receipt)) {
    return receipt.platformMessageIds.map((platformMessageId, position) => ({ platformMessageId, kind, index: position, ...context }));
  }
  const platformMessageId = ownId(result);
  return platformMessageId ? [{ platformMessageId, kind, index, ...context, raw: result }] : [];
}

function idsOf({ receipt, ...result }) {
  if (!nested(receipt)) return [ownId(result)];
  return [receipt.primaryPlatformMessageId, ...receipt.platformMessageIds, ...receipt.parts.map((part) => part.platformMessageId)];
}

/** One receipt for the results of several sends. */
export function createMessageReceiptFromOutboundResults(params) {
  const { results } = params;
  const platformMessageIds = [...new Set(results.flatMap(idsOf).map((id) => id?.trim()).filter(Boolean))];
  const first = results.find((result) => nested(result.receipt))?.receipt;
  const threadId = params.threadId ?? first?.threadId;
  const replyToId = params.replyToId ?? first?.replyToId;
  return {
    ...(platformMessageIds[0] ? { primaryPlatformMessageId: platformMessageIds[0] } : {}),
    platformMessageIds,
    parts: results.flatMap((result, index) => partsOf(result, index, params)),
    ...(threadId ? { threadId } : {}),
    ...(replyToId ? { replyToId } : {}),
    sentAt: params.sentAt ?? first?.sentAt ?? Date.now(),
    raw: results,
  };
}

export const listMessageReceiptPlatformIds = (receipt) => [...(receipt?.platformMessageIds ?? [])];
export const resolveMessageReceiptPrimaryId = (receipt) => receipt?.primaryPlatformMessageId ?? receipt?.platformMessageIds?.[0];

const MANUAL = { defaultAckPolicy: 'manual', supportedAckPolicies: ['manual'] };

/** A message adapter; receiving is acknowledged by hand unless it says otherwise. */
export const defineChannelMessageAdapter = (adapter) => ({ ...adapter, receive: adapter.receive ?? MANUAL });

function asSendResult(result, { kind, threadId, replyToId, rewriteKind }) {
  let { receipt } = result;
  if (!receipt) {
    receipt = createMessageReceiptFromOutboundResults({ results: [result], kind, threadId: threadId == null ? undefined : String(threadId), replyToId: replyToId ?? undefined });
  } else if (rewriteKind) receipt = { ...receipt, parts: receipt.parts.map((part) => ({ ...part, kind })) };
  const messageId = result.messageId ?? receipt.primaryPlatformMessageId ?? receipt.platformMessageIds[0] ?? result.chatId ?? result.channelId ?? result.roomId ?? result.conversationId ?? result.toJid ?? result.pollId;
  return { receipt, ...(messageId ? { messageId } : {}) };
}

function payloadKind({ payload, mediaUrl, text }) {
  const media = mediaUrl || payload.mediaUrl || payload.mediaUrls?.length;
  if (media) return payload.audioAsVoice ? 'voice' : 'media';
  if (payload.text?.trim() || text.trim()) return 'text';
  return payload.presentation?.blocks?.length || payload.interactive ? 'card' : 'unknown';
}

/** A message adapter made of a channel's outbound adapter. */
export function createChannelMessageAdapterFromOutbound({ id, outbound, capabilities, live, receive }) {
  const send = {};
  const add = (name, method, kindOf, rewriteKind = false) => {
    if (!outbound[method]) return;
    send[name] = async (ctx) => asSendResult(await outbound[method](ctx), { kind: kindOf(ctx), threadId: ctx.threadId, replyToId: ctx.replyToId, rewriteKind });
  };
  add('text', 'sendText', () => 'text');
  add('media', 'sendMedia', (ctx) => (ctx.audioAsVoice ? 'voice' : 'media'));
  add('payload', 'sendPayload', payloadKind);
  add('poll', 'sendPoll', () => 'poll', true);
  return {
    ...(id ? { id } : {}),
    durableFinal: { capabilities: capabilities ?? outbound.deliveryCapabilities?.durableFinal },
    send,
    ...(live ? { live } : {}),
    receive: receive ?? MANUAL,
  };
}

/** The send function that a caller injected for a channel, under its id or an older name. */
export function resolveOutboundSendDep(deps, channelId, options) {
  for (const key of [channelId, ...resolveLegacyOutboundSendDepKeys(channelId), ...(options?.legacyKeys ?? [])]) {
    if (deps?.[key] !== undefined) return deps[key];
  }
  return undefined;
}

export function resolveLegacyOutboundSendDepKeys(channelId) {
  const compact = channelId.replace(/[^a-z0-9]+/gi, '');
  if (!compact) return [];
  const name = compact[0].toUpperCase() + compact.slice(1);
  const keys = [`send${name}`];
  if (name.startsWith('Ms') && name.length > 2) keys.push(`sendMS${name.slice(2)}`);
  return keys;
}
