// Routes of channels: comparison and keys.
import { channelRouteDedupeKey, normalizeChannelRouteRef, normalizeChannelRouteTarget } from './session-keys.js';
import { normalizeLowercaseStringOrEmpty, normalizeOptionalString, normalizeOptionalThreadValue } from './strings.js';

export const normalizeRouteThreadId = (value) => normalizeOptionalThreadValue(value);
/** A thread id as text. @param {unknown} value @returns {string|undefined} */
export function stringifyRouteThreadId(value) {
  const id = normalizeRouteThreadId(value);
  return id == null ? undefined : String(id);
}

/** @param {any} route @returns {string|undefined} */
export const channelRouteTarget = (route) => route?.target?.to;
/** @param {any} route @returns {string|number|undefined} */
export const channelRouteThreadId = (route) => route?.thread?.id;

const sameThread = (left, right) => stringifyRouteThreadId(channelRouteThreadId(left)) === stringifyRouteThreadId(channelRouteThreadId(right));
const samePlace = (left, right) => left.channel === right.channel && channelRouteTarget(left) === channelRouteTarget(right);

/** Whether two routes are the same in all parts. @param {{left?: any, right?: any}} routes @returns {boolean} */
export const channelRoutesMatchExact = ({ left, right }) =>
  Boolean(left && right) && samePlace(left, right) && (left.accountId ?? '') === (right.accountId ?? '') && sameThread(left, right);

/** Whether two routes lead to the same conversation; what one of them leaves open fits. @param {{left?: any, right?: any}} routes @returns {boolean} */
export function channelRoutesShareConversation({ left, right }) {
  if (!left || !right || !samePlace(left, right)) return false;
  if (left.accountId && right.accountId && left.accountId !== right.accountId) return false;
  return channelRouteThreadId(left) == null || channelRouteThreadId(right) == null || sameThread(left, right);
}
/** The same for targets. @param {{left?: any, right?: any}} targets @returns {boolean} */
export const channelRouteTargetsShareConversation = ({ left, right }) => channelRoutesShareConversation({ left: normalizeChannelRouteTarget(left), right: normalizeChannelRouteTarget(right) });

const isRef = (route) => Boolean(route.target && typeof route.target === 'object') || Boolean(route.thread && typeof route.thread === 'object');

/** `channel|to|account|thread`. @param {any} route @returns {string|undefined} */
export function channelRouteCompactKey(route) {
  const input = route && isRef(route) ? { channel: route.channel, to: route.target?.to, accountId: route.accountId, threadId: route.thread?.id } : route;
  const normal = input ? normalizeChannelRouteRef(input) : undefined;
  if (!normal?.channel || !channelRouteTarget(normal)) return undefined;
  return [normal.channel, normal.target.to, normal.accountId ?? '', stringifyRouteThreadId(normal.thread?.id) ?? ''].join('|');
}
export const channelRouteKey = (route) => channelRouteCompactKey(route);
export const channelRouteIdentityKey = (input) => channelRouteDedupeKey(input);

/** A target as somebody typed it, parsed by its channel. @param {any} params @returns {any} */
export function resolveChannelRouteTargetWithParser({ channel: rawChannel, rawTarget, fallbackThreadId, parseExplicitTarget }) {
  const [channel, rawTo] = [normalizeLowercaseStringOrEmpty(rawChannel), normalizeOptionalString(rawTarget)];
  if (!channel || !rawTo) return null;
  const parsed = parseExplicitTarget(channel, rawTo);
  const threadId = normalizeOptionalThreadValue(parsed?.threadId ?? normalizeOptionalThreadValue(fallbackThreadId));
  return { channel, rawTo, to: parsed?.to ?? rawTo, threadId, chatType: parsed?.chatType };
}
