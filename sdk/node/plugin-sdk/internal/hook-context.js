// A message as hooks see it: made from the inbound context, in the forms for internal hooks and for plugins.
import { hasNonEmptyString, normalizeLowercaseStringOrEmpty } from './strings.js';

const texts = (list) => (Array.isArray(list) ? list.filter((item) => typeof item === 'string' && item.length > 0) : undefined);
const defined = (record) => Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined && value !== null && value !== ''));
const part = (record, ...keys) => Object.fromEntries(keys.map((key) => [key, record[key]]));
const SENDER = ['senderId', 'senderName', 'senderUsername', 'senderE164'];
const WHERE = ['guildId', 'channelName', 'topicName'];

function traceFields({ trace }) {
  return trace ? { trace, traceId: trace.traceId, ...defined(part(trace, 'spanId', 'parentSpanId')) } : {};
}

/**
 * The message of an inbound context.
 * @param {object} ctx as channels build it
 * @param {{content?: string, messageId?: string}} [overrides]
 * @returns {object}
 */
export function deriveInboundMessageHookContext(ctx, overrides) {
  const [mediaPaths, mediaTypes, mediaUrls] = [ctx.MediaPaths, ctx.MediaTypes, ctx.MediaUrls].map(texts);
  const conversationId = ctx.OriginatingTo ?? ctx.To ?? ctx.From;
  const isGroup = Boolean(ctx.GroupSubject || ctx.GroupChannel);
  return {
    from: ctx.From ?? '',
    to: ctx.To,
    content: overrides?.content ?? [ctx.BodyForCommands, ctx.RawBody, ctx.Body].find(hasNonEmptyString) ?? '',
    body: ctx.Body, bodyForAgent: ctx.BodyForAgent, transcript: ctx.Transcript,
    timestamp: Number.isFinite(ctx.Timestamp) ? ctx.Timestamp : undefined,
    channelId: normalizeLowercaseStringOrEmpty(ctx.OriginatingChannel ?? ctx.Surface ?? ctx.Provider),
    accountId: ctx.AccountId, conversationId, sessionKey: ctx.SessionKey,
    messageId: overrides?.messageId ?? ctx.MessageSidFull ?? ctx.MessageSid ?? ctx.MessageSidFirst ?? ctx.MessageSidLast,
    senderId: ctx.SenderId, senderName: ctx.SenderName, senderUsername: ctx.SenderUsername, senderE164: ctx.SenderE164,
    provider: ctx.Provider, surface: ctx.Surface, threadId: ctx.MessageThreadId,
    mediaPath: ctx.MediaPath ?? mediaPaths?.[0], mediaUrl: ctx.MediaUrl ?? mediaUrls?.[0], mediaType: ctx.MediaType ?? mediaTypes?.[0],
    mediaPaths, mediaUrls, mediaTypes,
    originatingChannel: ctx.OriginatingChannel, originatingTo: ctx.OriginatingTo,
    guildId: ctx.GroupSpace, channelName: ctx.GroupChannel, isGroup, groupId: isGroup ? conversationId : undefined, topicName: ctx.TopicName,
  };
}

/**
 * A message that was sent.
 * @param {{to: string, content: string, success: boolean, error?: string, channelId: string, accountId?: string, conversationId?: string, sessionKey?: string, runId?: string, messageId?: string, isGroup?: boolean, groupId?: string}} params
 * @returns {object}
 */
export const buildCanonicalSentMessageHookContext = (params) => ({
  ...part(params, 'to', 'content', 'success', 'error', 'channelId', 'accountId', 'sessionKey', 'runId', 'messageId', 'trace', 'callDepth', 'isGroup', 'groupId'),
  conversationId: params.conversationId ?? params.to,
});

/**
 * For plugins: where and by whom.
 * @param {object} message
 * @returns {object}
 */
export const toPluginMessageContext = (message) => ({
  ...part(message, 'channelId', 'accountId', 'conversationId'),
  ...defined(part(message, 'sessionKey', 'runId', 'messageId', 'senderId')),
  ...traceFields(message),
  ...(message.callDepth === undefined || message.callDepth === null ? {} : { callDepth: message.callDepth }),
});

/**
 * For plugins: the event `message_received`.
 * @param {object} message
 * @returns {object}
 */
export const toPluginMessageReceivedEvent = (message) => ({
  ...part(message, 'from', 'content', 'timestamp', 'threadId', 'messageId', 'senderId', 'sessionKey', 'runId'),
  metadata: part(message, 'to', 'provider', 'surface', 'threadId', 'originatingChannel', 'originatingTo', 'messageId', ...SENDER, ...WHERE),
  ...traceFields(message),
});

/**
 * For plugins: the event `message_sent`.
 * @param {object} message
 * @returns {object}
 */
export const toPluginMessageSentEvent = (message) => ({
  ...part(message, 'to', 'content', 'success'),
  ...defined(part(message, 'error', 'messageId', 'sessionKey', 'runId')),
  ...traceFields(message),
});

/**
 * For internal hooks: a received message.
 * @param {object} message
 * @returns {object}
 */
export const toInternalMessageReceivedContext = (message) => ({
  ...part(message, 'from', 'content', 'timestamp', 'channelId', 'accountId', 'conversationId', 'messageId'),
  metadata: part(message, 'to', 'provider', 'surface', 'threadId', ...SENDER, ...WHERE),
});

/**
 * For internal hooks: a sent message.
 * @param {object} message
 * @returns {object}
 */
export const toInternalMessageSentContext = (message) => ({
  ...part(message, 'to', 'content', 'success'),
  ...defined(part(message, 'error')),
  ...part(message, 'channelId', 'accountId', 'conversationId', 'messageId'),
  ...defined(part(message, 'isGroup', 'groupId')),
});

const INBOUND = ['from', 'to', 'body', 'bodyForAgent', 'timestamp', 'channelId', 'conversationId', 'messageId', 'senderId', 'senderName', 'senderUsername', 'provider', 'surface', 'mediaPath', 'mediaType'];

/**
 * For internal hooks: a voice message that became text.
 * @param {object} message
 * @param {object} cfg
 * @returns {object}
 */
export const toInternalMessageTranscribedContext = (message, cfg) => ({ ...part(message, ...INBOUND), transcript: message.transcript ?? '', cfg });

/**
 * For internal hooks: a message that is ready for the agent.
 * @param {object} message
 * @param {object} cfg
 * @returns {object}
 */
export const toInternalMessagePreprocessedContext = (message, cfg) => ({ ...part(message, ...INBOUND, 'transcript', 'isGroup', 'groupId'), cfg });

/** The conversation of an inbound message: its target without the name of the channel in front. */
function conversationOf({ to, originatingTo, conversationId, channelId }) {
  const target = [to ?? originatingTo ?? conversationId].map((value) => (typeof value === 'string' ? value.trim() : '')).find(Boolean);
  const prefix = [channelId, 'channel', 'chat', 'user'].map((name) => `${name}:`).find((one) => target?.toLowerCase().startsWith(one));
  return target && (prefix ? target.slice(prefix.length) : target);
}

/**
 * For plugins: where a message came from that they may claim.
 * @param {object} message
 * @returns {object}
 */
export const toPluginInboundClaimContext = (message) => ({
  ...part(message, 'channelId', 'accountId'), conversationId: conversationOf(message), ...part(message, 'sessionKey', 'parentConversationId', 'senderId', 'messageId', 'runId', 'callDepth'), ...traceFields(message),
});

/**
 * For plugins: the event `inbound_claim`.
 * @param {object} message
 * @param {{commandAuthorized?: boolean, wasMentioned?: boolean}} [extras]
 * @returns {object}
 */
export const toPluginInboundClaimEvent = (message, extras) => ({
  ...part(message, 'content', 'body', 'bodyForAgent', 'transcript', 'timestamp', 'accountId', 'senderId', 'senderName', 'senderUsername', 'threadId', 'messageId', 'sessionKey', 'runId', 'isGroup', 'parentConversationId'),
  channel: message.channelId, conversationId: conversationOf(message), commandAuthorized: extras?.commandAuthorized, wasMentioned: extras?.wasMentioned,
  metadata: part(message, 'from', 'to', 'provider', 'surface', 'originatingChannel', 'originatingTo', 'senderE164', 'mediaPath', 'mediaUrl', 'mediaType', 'mediaPaths', 'mediaUrls', 'mediaTypes', 'guildId', 'channelName', 'groupId', 'topicName'),
  ...traceFields(message),
});
