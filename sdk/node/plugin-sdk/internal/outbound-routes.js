// Targets as people write them, and the session that a message to one belongs to.
import { resolveThreadSessionKeys } from './session-keys.js';
import { normalizeLowercaseStringOrEmpty, normalizeOptionalLowercaseString, normalizeOptionalStringifiedId } from './strings.js';

/**
 * A target without the name of its channel in front.
 * @param {string} raw
 * @param {...string} providers
 * @returns {string}
 */
export function stripChannelTargetPrefix(raw, ...providers) {
  const text = raw.trim();
  const prefix = providers.map((name) => `${normalizeLowercaseStringOrEmpty(name)}:`).find((one) => text.toLowerCase().startsWith(one));
  return prefix ? text.slice(prefix.length).trim() : text;
}

/**
 * A target without the word that says what it is.
 * @param {string} raw
 * @returns {string}
 */
export const stripTargetKindPrefix = (raw) => raw.replace(/^(?:user|channel|group|conversation|room|dm):/i, '').trim();

/**
 * Entries between commas, semicolons or line ends; `undefined` for none.
 * @param {string | undefined} value
 * @returns {string[] | undefined}
 */
export function parseOptionalDelimitedEntries(value) {
  const entries = (value ?? '').split(/[\n,;]+/).map((entry) => entry.trim()).filter(Boolean);
  return entries.length > 0 ? entries : undefined;
}

/** `base:thread:id` in its parts. */
function threadOf(sessionKey) {
  const key = sessionKey?.trim() ?? '';
  const at = key.toLowerCase().lastIndexOf(':thread:');
  return at > 0 ? { base: key.slice(0, at), id: key.slice(at + ':thread:'.length).trim() } : {};
}

/**
 * The thread of the current session, when a route leads to the same conversation.
 * @param {{route: {baseSessionKey: string}, currentSessionKey?: string | null, canRecover?: (context: object) => boolean}} params
 * @returns {string | undefined}
 */
export function recoverCurrentThreadSessionId({ route, currentSessionKey, canRecover }) {
  const { base, id } = threadOf(currentSessionKey);
  if (!base || !id || normalizeOptionalLowercaseString(base) !== normalizeOptionalLowercaseString(route.baseSessionKey)) return undefined;
  return canRecover && !canRecover({ route, currentBaseSessionKey: base, currentThreadId: id }) ? undefined : id;
}

/**
 * The session of a message that may go to a thread: that of the message answered, the one named, or the current one.
 * @param {object} params `route`, `replyToId`, `threadId`, `currentSessionKey`, `canRecoverCurrentThread`, `precedence`, `parentSessionKey`, `useSuffix`, `normalizeThreadId`
 * @returns {object} the route with its session key and thread
 */
export function buildThreadAwareOutboundSessionRoute(params) {
  const { route, precedence = ['replyToId', 'threadId', 'currentSession'] } = params;
  const current = recoverCurrentThreadSessionId({ route, currentSessionKey: params.currentSessionKey, canRecover: params.canRecoverCurrentThread });
  const candidates = { replyToId: params.replyToId, threadId: params.threadId, currentSession: current };
  const chosen = precedence.map((source) => candidates[source]).find((value) => normalizeOptionalStringifiedId(value) !== undefined);
  const { sessionKey } = resolveThreadSessionKeys({
    baseSessionKey: route.baseSessionKey, threadId: normalizeOptionalStringifiedId(chosen), parentSessionKey: params.parentSessionKey,
    useSuffix: params.useSuffix, normalizeThreadId: params.normalizeThreadId,
  });
  return { ...route, sessionKey, ...(chosen === undefined ? {} : { threadId: typeof chosen === 'number' ? chosen : normalizeOptionalStringifiedId(chosen) }) };
}
