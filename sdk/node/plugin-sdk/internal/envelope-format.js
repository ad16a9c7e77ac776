// The line before a message that tells the agent where it comes from and when.
import { normalizeChatType } from './accounts.js';
import { normalizeLowercaseStringOrEmpty, normalizeOptionalString } from './strings.js';
import { formatUtcTimestamp, formatZonedTimestamp, resolveTimezone } from './time.js';

/** Settings of envelopes. @param {any} [cfg] @returns {{timezone?: string, includeTimestamp: boolean, includeElapsed: boolean, userTimezone?: string}} */
export function resolveEnvelopeFormatOptions(cfg) {
  const defaults = cfg?.agents?.defaults;
  return {
    timezone: defaults?.envelopeTimezone,
    includeTimestamp: defaults?.envelopeTimestamp !== 'off',
    includeElapsed: defaults?.envelopeElapsed !== 'off',
    userTimezone: defaults?.userTimezone,
  };
}

/** One line, without the brackets that end an envelope. */
const inLine = (text) => text.replaceAll('[', '(').replaceAll(']', ')').replace(/\s+/g, ' ').trim();

/** `undefined` for the zone of this machine. */
function zoneOf({ timezone, userTimezone } = {}) {
  const name = normalizeLowercaseStringOrEmpty(timezone);
  if (['', 'local', 'host'].includes(name)) return undefined;
  if (name === 'utc' || name === 'gmt') return 'UTC';
  if (name === 'user') return resolveTimezone(userTimezone?.trim() ?? '') ?? resolveTimezone(Intl.DateTimeFormat().resolvedOptions().timeZone) ?? 'UTC';
  return resolveTimezone(timezone.trim()) ?? 'UTC';
}

/** `Mon 2026-05-12 10:00:00 UTC`. @param {number|Date|undefined} at @param {any} [options] @returns {string|undefined} */
function timestampOf(at, options) {
  const date = at instanceof Date ? at : new Date(at ?? NaN);
  if (!at || options?.includeTimestamp === false || Number.isNaN(date.getTime())) return undefined;
  const timeZone = zoneOf(options);
  const weekday = new Intl.DateTimeFormat('en-US', { timeZone, weekday: 'short' }).format(date);
  const utc = timeZone === 'UTC' && normalizeLowercaseStringOrEmpty(options?.timezone) !== 'user';
  const time = utc ? formatUtcTimestamp(date, { displaySeconds: true }) : formatZonedTimestamp(date, { timeZone, displaySeconds: true });
  return time && `${weekday} ${time}`;
}

/** Time that went by, in its largest unit. */
function shortTime(ms) {
  const seconds = Math.round(ms / 1000);
  const minutes = Math.round(seconds / 60);
  if (minutes < 1) return `${seconds}s`;
  const hours = Math.round(minutes / 60);
  if (minutes < 60) return `${minutes}m`;
  return hours < 48 ? `${hours}h` : `${Math.round(hours / 24)}d`;
}

function elapsedOf({ timestamp, previousTimestamp, envelope }) {
  const ms = Number(timestamp) - Number(previousTimestamp);
  return envelope?.includeElapsed !== false && timestamp && previousTimestamp && ms >= 0 ? `+${shortTime(ms)}` : undefined;
}

/** A message with its envelope. @param {any} params @returns {string} */
export function formatAgentEnvelope(params) {
  const part = (value) => {
    const text = normalizeOptionalString(value);
    return text && inLine(text);
  };
  const head = [part(params.channel) ?? 'Channel', part(params.from), elapsedOf(params), part(params.host), part(params.ip), timestampOf(params.timestamp, params.envelope)];
  return `[${head.filter((item) => item !== undefined).join(' ')}] ${params.body}`;
}

/** How a sender is called: a name with the number or id behind it. @param {any} [sender] @returns {string|null} */
export function resolveSenderLabel(sender = {}) {
  const { name, username, tag, e164, id } = sender;
  const [display, identity] = [[name, username, tag], [e164, id]].map((list) => list.map(normalizeOptionalString).find(Boolean));
  return display && identity && display !== identity ? `${display} (${identity})` : (display ?? identity ?? null);
}

/** The name in a direct conversation's label; one that could be taken for a marker is not used. */
function directName(from) {
  const label = inLine(from ?? '').replace(/(\S)\s+id:.*$/i, '$1');
  return label.includes(':') ? '(sender)' : label;
}

/** An inbound message with its envelope; the text says who wrote it. @param {any} params @returns {string} */
export function formatInboundEnvelope({ chatType, senderLabel, sender, fromMe, body, ...params }) {
  const direct = (normalizeChatType(chatType) ?? 'direct') === 'direct';
  const label = normalizeOptionalString(senderLabel) ?? resolveSenderLabel(sender);
  const who = direct ? (fromMe ? '(self)' : directName(normalizeOptionalString(params.from))) : label && inLine(label);
  return formatAgentEnvelope({ ...params, body: who ? `${who}: ${body}` : body });
}

/** How a conversation is called in an envelope. @param {any} params @returns {string} */
export function formatInboundFromLabel({ isGroup, groupLabel, groupFallback, groupId, directLabel, directId }) {
  const name = isGroup ? normalizeOptionalString(groupLabel) || groupFallback || 'Group' : directLabel.trim();
  const id = (isGroup ? groupId : directId)?.trim();
  return id && (isGroup || id !== name) ? `${name} id:${id}` : name;
}

/** Envelopes of a session whose route is known. @param {any} params @returns {(input: any) => {storePath: string, body: string}} */
export function createInboundEnvelopeBuilder(params) {
  const storePath = params.resolveStorePath(params.sessionStore, { agentId: params.route.agentId });
  const envelope = params.resolveEnvelopeFormatOptions(params.cfg);
  return ({ channel, from, timestamp, body }) => {
    const previousTimestamp = params.readSessionUpdatedAt({ storePath, sessionKey: params.route.sessionKey });
    return { storePath, body: params.formatAgentEnvelope({ channel, from, timestamp, previousTimestamp, envelope, body }) };
  };
}
