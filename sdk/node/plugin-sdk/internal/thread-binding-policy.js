// Threads that belong to a session: whether, for how long, and what is said in them.
import { normalizeAccountId } from './accounts.js';
import { prefixSystemMessage } from './system-message.js';
import { asBoolean, normalizeLowercaseStringOrEmpty, normalizeOptionalString } from './strings.js';

const HOUR_MS = 3_600_000;
const MAX_MS = 8_640_000_000_000_000;
const DEFAULT_IDLE_HOURS = 24;
const NAME_LENGTH = 100;

const hours = (value) => (Number.isFinite(value) && value >= 0 ? value : undefined);
const asMs = (...candidates) => Math.min(MAX_MS, Math.floor(candidates.map(hours).find((value) => value !== undefined) * HOUR_MS));
const first = (read, ...values) => values.map(read).find((value) => value !== undefined);

function scopeOf({ cfg, channel: rawChannel, accountId: rawId }) {
  const [channel, accountId] = [normalizeLowercaseStringOrEmpty(rawChannel), normalizeAccountId(rawId)];
  const section = cfg.channels?.[channel];
  return { channel, accountId, root: section?.threadBindings, account: section?.accounts?.[accountId]?.threadBindings, session: cfg.session?.threadBindings };
}

/** @param {{channelEnabledRaw: unknown, sessionEnabledRaw: unknown}} params @returns {boolean} */
export const resolveThreadBindingsEnabled = ({ channelEnabledRaw, sessionEnabledRaw }) => first(asBoolean, channelEnabledRaw, sessionEnabledRaw) ?? true;
/** After how much silence a binding ends, in milliseconds; 0 for never. @param {any} params @returns {number} */
export const resolveThreadBindingIdleTimeoutMs = ({ channelIdleHoursRaw, sessionIdleHoursRaw }) => asMs(channelIdleHoursRaw, sessionIdleHoursRaw, DEFAULT_IDLE_HOURS);
/** How long a binding lasts at most, in milliseconds; 0 for ever. @param {any} params @returns {number} */
export const resolveThreadBindingMaxAgeMs = ({ channelMaxAgeHoursRaw, sessionMaxAgeHoursRaw }) => asMs(channelMaxAgeHoursRaw, sessionMaxAgeHoursRaw, 0);
/** The same from the configuration of a channel. @param {any} params @returns {number} */
export function resolveThreadBindingIdleTimeoutMsForChannel(params) {
  const { root, account, session } = scopeOf(params);
  return resolveThreadBindingIdleTimeoutMs({ channelIdleHoursRaw: account?.idleHours ?? root?.idleHours, sessionIdleHoursRaw: session?.idleHours });
}
/** @param {any} params @returns {number} */
export function resolveThreadBindingMaxAgeMsForChannel(params) {
  const { root, account, session } = scopeOf(params);
  return resolveThreadBindingMaxAgeMs({ channelMaxAgeHoursRaw: account?.maxAgeHours ?? root?.maxAgeHours, sessionMaxAgeHoursRaw: session?.maxAgeHours });
}

/** Whether new sessions get threads of their own. @param {any} params @returns {any} */
export function resolveThreadBindingSpawnPolicy({ kind, ...params }) {
  const { channel, accountId, root, account, session } = scopeOf(params);
  const flag = kind === 'subagent' ? 'spawnSubagentSessions' : 'spawnAcpSessions';
  const context = (value) => (['isolated', 'fork'].includes(value) ? value : undefined);
  return {
    channel,
    accountId,
    enabled: first(asBoolean, account?.enabled, root?.enabled, session?.enabled) ?? true,
    spawnEnabled: first(asBoolean, account?.[flag], account?.spawnSessions, root?.[flag], root?.spawnSessions, session?.spawnSessions) ?? true,
    defaultSpawnContext: first(context, account?.defaultSpawnContext, root?.defaultSpawnContext, session?.defaultSpawnContext) ?? 'fork',
  };
}

/** @param {{channel: string}} params @returns {string} */
export const formatThreadBindingDisabledError = ({ channel }) =>
  `Thread bindings are off for ${channel}. Set channels.${channel}.threadBindings.enabled=true for it, or session.threadBindings.enabled=true for all channels.`;
/** @param {{channel: string}} params @returns {string} */
export const formatThreadBindingSpawnDisabledError = ({ channel }) => `Sessions get no threads of their own on ${channel}. Set channels.${channel}.threadBindings.spawnSessions=true for that.`;

/** `2h`, `45m`. @param {number} durationMs @returns {string} */
export function formatThreadBindingDurationLabel(durationMs) {
  if (durationMs <= 0) return 'disabled';
  const minutes = Math.floor(durationMs / 60_000);
  if (minutes < 1) return '<1m';
  return minutes % 60 === 0 ? `${minutes / 60}h` : `${minutes}m`;
}

/** When a binding ends, and why. @param {{record: any, defaultIdleTimeoutMs: number, defaultMaxAgeMs: number}} params @returns {{expiresAt?: number, reason?: string}} */
export function resolveThreadBindingLifecycle({ record, defaultIdleTimeoutMs, defaultMaxAgeMs }) {
  const own = (value, fallback) => (typeof value === 'number' ? Math.max(0, Math.floor(value)) : fallback);
  const [idleMs, ageMs] = [own(record.idleTimeoutMs, defaultIdleTimeoutMs), own(record.maxAgeMs, defaultMaxAgeMs)];
  const ends = [];
  if (idleMs > 0) ends.push({ expiresAt: Math.max(record.lastActivityAt, record.boundAt) + idleMs, reason: 'idle-expired' });
  if (ageMs > 0) ends.push({ expiresAt: record.boundAt + ageMs, reason: 'max-age-expired' });
  return ends.sort((a, b) => a.expiresAt - b.expiresAt)[0] ?? {};
}
/** @param {any} params @returns {number|undefined} */
export const resolveThreadBindingEffectiveExpiresAt = (params) => resolveThreadBindingLifecycle(params).expiresAt;

/** The conversation in the id of an account's binding. @param {{accountId: string, bindingId?: string}} params @returns {string|undefined} */
export function resolveThreadBindingConversationIdFromBindingId({ accountId, bindingId }) {
  const id = normalizeOptionalString(bindingId);
  return id?.startsWith(`${accountId}:`) ? normalizeOptionalString(id.slice(accountId.length + 1)) : undefined;
}

const nameOf = ({ label, agentId }) => normalizeOptionalString(label) ?? normalizeOptionalString(agentId) ?? 'agent';
const oneLine = (text) => text.replace(/\s+/g, ' ').trim().slice(0, NAME_LENGTH);
/** How a session's thread is called. @param {{label?: string, agentId?: string}} params @returns {string} */
export const resolveThreadBindingThreadName = (params) => oneLine(`🤖 ${nameOf(params)}`);

/** What is said at the beginning. @param {any} params @returns {string} */
export function resolveThreadBindingIntroText(params) {
  const { idleTimeoutMs, maxAgeMs, sessionCwd, sessionDetails } = params;
  const limits = [
    ...(idleTimeoutMs > 0 ? [`ends after ${formatThreadBindingDurationLabel(Math.floor(idleTimeoutMs))} of silence`] : []),
    ...(maxAgeMs > 0 ? [`lasts ${formatThreadBindingDurationLabel(Math.floor(maxAgeMs))} at most`] : []),
  ];
  const cwd = normalizeOptionalString(sessionCwd);
  const details = [...(cwd ? [`cwd: ${cwd}`] : []), ...(sessionDetails ?? []).map((line) => line.trim()).filter(Boolean)];
  const head = `${oneLine(nameOf(params))} session active${limits.length > 0 ? ` (${limits.join('; ')})` : ''}. What is written here goes to it.`;
  return prefixSystemMessage([head, ...details].join('\n'));
}

/** What is said at the end. @param {any} params @returns {string} */
export function resolveThreadBindingFarewellText({ farewellText, reason, idleTimeoutMs, maxAgeMs }) {
  const own = normalizeOptionalString(farewellText);
  const label = (ms) => formatThreadBindingDurationLabel(Math.floor(ms));
  const why = { 'idle-expired': ` after ${label(idleTimeoutMs)} of silence`, 'max-age-expired': ` after its longest time, ${label(maxAgeMs)}` }[reason] ?? '';
  return prefixSystemMessage(own ?? `Session ended${why}. What is written here reaches no session any more.`);
}
