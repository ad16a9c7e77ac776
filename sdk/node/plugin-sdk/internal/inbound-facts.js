// Facts of inbound messages: their media, whether they ask for an answer, and bots that talk to each other.
import { resolveAgentConfig } from './agents.js';
import { filterChannelTurnSupplementalContext } from './context-visibility.js';
import { recordPendingHistoryEntryWithMedia } from './history.js';
import { createPairLoopGuard, resolvePairLoopGuardSettings } from './pair-loop-guard.js';
import { normalizeOptionalString } from './strings.js';

/** Media of a message with defaults for all of them. @param {any[]|null|undefined} media @param {any} [defaults] @returns {any[]} */
export const toInboundMediaFacts = (media, defaults = {}) =>
  (Array.isArray(media) ? media : []).map((entry, index) => ({
    path: normalizeOptionalString(entry.path),
    url: normalizeOptionalString(entry.url),
    contentType: normalizeOptionalString(entry.contentType),
    kind: entry.kind ?? defaults.kind,
    transcribed: entry.transcribed === true || defaults.transcribed?.(entry, index) === true,
    messageId: normalizeOptionalString(entry.messageId) ?? defaults.messageId,
  }));
/** The same for the history. @param {any[]|null|undefined} media @param {any} [defaults] @returns {any[]} */
export const toHistoryMediaEntries = (media, defaults = {}) => toInboundMediaFacts(media, defaults).map(({ path, url, contentType, kind, messageId }) => ({ path, url, contentType, kind, messageId }));

/** What groups do with messages that mention nobody. @param {{cfg: any, agentId?: string}} params @returns {string} */
export function resolveUnmentionedGroupInboundPolicy({ cfg, agentId }) {
  const own = agentId ? resolveAgentConfig(cfg, agentId)?.groupChat : undefined;
  const chat = own && Object.hasOwn(own, 'unmentionedInbound') ? own : cfg.messages?.groupChat;
  return chat?.unmentionedInbound ?? 'user_request';
}

/** Whether a message asks for an answer, or is only something that happens in the room. @param {any} params @returns {'user_request'|'room_event'} */
export function classifyChannelInboundEvent({ unmentionedGroupPolicy, conversation, wasMentioned, hasControlCommand, hasAbortRequest, commandSource }) {
  const asks = [wasMentioned, hasControlCommand, hasAbortRequest].includes(true) || commandSource === 'native';
  return unmentionedGroupPolicy === 'room_event' && ['group', 'channel'].includes(conversation.kind) && !asks ? 'room_event' : 'user_request';
}

export { filterChannelTurnSupplementalContext as filterChannelInboundSupplementalContext };
/** A quote, where it may be shown. @param {string|undefined} contextVisibility @param {any} quote @returns {any} */
export const filterChannelInboundQuoteContext = (contextVisibility, quote) => filterChannelTurnSupplementalContext({ contextVisibility, supplemental: quote ? { quote } : undefined })?.quote;

const guard = createPairLoopGuard();
/** Counts a message between two bots. @param {any} params @returns {{suppressed: boolean, cooldownUntilMs?: number}} */
export const recordChannelBotPairLoopAndCheckSuppression = ({ config, defaultsConfig, defaultEnabled, ...event }) =>
  guard.recordAndCheck({ ...event, settings: resolvePairLoopGuardSettings({ config, defaultsConfig, defaultEnabled }) });

/** Keeps a message that is not answered in the history of its group, where the channel wants that. @param {any} params @returns {Promise<void>} */
export async function recordDroppedChannelInboundHistory({ input, preflight, admission = preflight.admission }) {
  const { history, media, message } = preflight;
  if (admission?.kind !== 'drop' || !(history?.limit > 0) || !(history.recordOnDrop || admission.recordHistory)) return;
  const body = message?.bodyForAgent ?? message?.body ?? message?.rawBody ?? input.textForAgent ?? input.rawText;
  const name = message?.senderLabel ?? message?.envelopeFrom ?? (typeof input.raw?.sender === 'string' ? input.raw.sender : 'unknown');
  const entries = (list) => toHistoryMediaEntries(list, { messageId: input.id });
  await recordPendingHistoryEntryWithMedia({
    historyMap: history.historyMap,
    historyKey: history.key,
    limit: history.limit,
    entry: body.trim() ? { sender: name, body, timestamp: input.timestamp, messageId: input.id } : null,
    mediaLimit: history.mediaLimit,
    messageId: input.id,
    shouldRecord: history.shouldRecord,
    media: typeof media === 'function' ? async () => entries(await media()) : entries(media),
  });
}

const activity = new Map();
const activityOf = (channel, accountId) => {
  const key = JSON.stringify([channel, accountId?.trim() || 'default']);
  if (!activity.has(key)) activity.set(key, { inboundAt: null, outboundAt: null });
  return activity.get(key);
};
/** Notes when a message came or went; known to this worker. @param {{channel: string, accountId?: string|null, direction: 'inbound'|'outbound', at?: number}} params @returns {void} */
export function recordChannelActivity({ channel, accountId, direction, at = Date.now() }) {
  if (direction === 'inbound' || direction === 'outbound') activityOf(channel, accountId)[`${direction}At`] = at;
}
/** @param {{channel: string, accountId?: string|null}} params @returns {{inboundAt: number|null, outboundAt: number|null}} */
export const getChannelActivity = ({ channel, accountId }) => ({ ...activityOf(channel, accountId) });

/** Sessions of a native command: the one that it runs in and the one that it is about. @param {any} params @returns {{sessionKey: string, commandTargetSessionKey: string}} */
export function resolveNativeCommandSessionTargets({ agentId, sessionPrefix, userId, boundSessionKey, targetSessionKey, lowercaseSessionKey }) {
  const sessionKey = boundSessionKey ?? `agent:${agentId}:${sessionPrefix}:${userId}`;
  return { sessionKey: lowercaseSessionKey ? sessionKey.toLowerCase() : sessionKey, commandTargetSessionKey: boundSessionKey ?? targetSessionKey };
}
