// System events that wait for a session's next turn: the gateway keeps them, a plugin reads them.
import { peer, plugins } from '../../worker/state.js';
import { normalizeAccountId } from './accounts.js';
import { normalizeMessageChannel } from './message-channels.js';
import { normalizeOptionalString } from './strings.js';

/**
 * What waits for a session, oldest first.
 * @param {string} sessionKey
 * @returns {{text: string, ts: number, contextKey: string | null, deliveryContext?: object, trusted: boolean}[]}
 */
export function peekSystemEventEntries(sessionKey) {
  if (!peer) return [];
  const pluginId = plugins.size === 1 ? plugins.keys().next().value : undefined;
  return peer.requestSync('host.system.systemEvents', { pluginId, sessionKey });
}
/** Their texts. @param {string} sessionKey @returns {string[]} */
export const peekSystemEvents = (sessionKey) => peekSystemEventEntries(sessionKey).map(({ text }) => text);
/** @param {string} sessionKey @returns {boolean} */
export const hasSystemEvents = (sessionKey) => peekSystemEventEntries(sessionKey).length > 0;
/** Whether an event of this context would be another one than the last that waits. @param {string} sessionKey @param {string | null} [contextKey] @returns {boolean} */
export const isSystemEventContextChanged = (sessionKey, contextKey) => (normalizeOptionalString(contextKey)?.toLowerCase() ?? null) !== (peekSystemEventEntries(sessionKey).at(-1)?.contextKey ?? null);
/** Nothing is kept in this process. */
export const resetSystemEventsForTest = () => {};

function placeOf(given) {
  if (!given) return undefined;
  const channel = typeof given.channel === 'string' ? normalizeMessageChannel(given.channel) ?? given.channel.trim() : undefined;
  const account = normalizeOptionalString(given.accountId);
  const thread = typeof given.threadId === 'number' && Number.isFinite(given.threadId) ? Math.trunc(given.threadId) : normalizeOptionalString(given.threadId);
  const place = { channel: channel || undefined, to: normalizeOptionalString(given.to), accountId: account && normalizeAccountId(account), ...(thread === undefined || thread === '' ? {} : { threadId: thread }) };
  return place.channel || place.to || place.accountId || place.threadId !== undefined ? place : undefined;
}

/** Where an answer to several events goes: what the last one says, filled up from those before of the same channel. @param {{deliveryContext?: object}[]} events @returns {object | undefined} */
export function resolveSystemEventDeliveryContext(events) {
  return events.map(({ deliveryContext }) => placeOf(deliveryContext)).reduce((before, now) => {
    if (!before || !now) return now ?? before;
    const other = before.channel && now.channel && before.channel !== now.channel;
    const merged = { channel: now.channel ?? before.channel };
    for (const key of ['to', 'accountId', 'threadId']) {
      const value = other ? now[key] : now[key] ?? before[key];
      if (value !== undefined || key !== 'threadId') merged[key] = value;
    }
    return merged;
  }, undefined);
}
