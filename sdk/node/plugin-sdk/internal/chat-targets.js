// Targets of messages: `kind:id`, mentions, and the prefixes of chats and services.
import { parseStrictInteger } from './numbers.js';
import { normalizeLowercaseStringOrEmpty, normalizeOptionalString, normalizeStringEntries } from './strings.js';

/** @typedef {{kind: string, id: string, raw: string, normalized: string}} MessagingTarget */

/** The comparable form of a target. @param {string} kind @param {string} id @returns {string} */
export const normalizeTargetId = (kind, id) => normalizeLowercaseStringOrEmpty(`${kind}:${id}`);

/** A target from its parts. @param {string} kind @param {string} id @param {string} raw @returns {MessagingTarget} */
export const buildMessagingTarget = (kind, id, raw) => ({ kind, id, raw, normalized: normalizeTargetId(kind, id) });

/** The candidate when it fits a pattern, else an error. @param {{candidate: string, pattern: RegExp, errorMessage: string}} params @returns {string} */
export function ensureTargetId({ candidate, pattern, errorMessage }) {
  if (!pattern.test(candidate)) throw new Error(errorMessage);
  return candidate;
}

/** A target whose first group of a pattern is the id. @param {{raw: string, mentionPattern: RegExp, kind: string}} params @returns {MessagingTarget|undefined} */
export function parseTargetMention({ raw, mentionPattern, kind }) {
  const id = raw.match(mentionPattern)?.[1];
  return id ? buildMessagingTarget(kind, id, raw) : undefined;
}

/** A target behind a prefix. @param {{raw: string, prefix: string, kind: string}} params @returns {MessagingTarget|undefined} */
export function parseTargetPrefix({ raw, prefix, kind }) {
  const id = raw.startsWith(prefix) ? raw.slice(prefix.length).trim() : '';
  return id ? buildMessagingTarget(kind, id, raw) : undefined;
}

/** The first prefix that fits. @param {{raw: string, prefixes: {prefix: string, kind: string}[]}} params @returns {MessagingTarget|undefined} */
export function parseTargetPrefixes({ raw, prefixes }) {
  for (const entry of prefixes) {
    const target = parseTargetPrefix({ raw, ...entry });
    if (target) return target;
  }
  return undefined;
}

/** `@user`. @param {{raw: string, pattern: RegExp, errorMessage: string}} params @returns {MessagingTarget|undefined} */
export function parseAtUserTarget({ raw, pattern, errorMessage }) {
  if (!raw.startsWith('@')) return undefined;
  return buildMessagingTarget('user', ensureTargetId({ candidate: raw.slice(1).trim(), pattern, errorMessage }), raw);
}

/** A mention, else a prefix, else `@user`. @param {any} params @returns {MessagingTarget|undefined} */
export const parseMentionPrefixOrAtUserTarget = ({ raw, mentionPattern, prefixes, atUserPattern, atUserErrorMessage }) =>
  parseTargetMention({ raw, mentionPattern, kind: 'user' }) ??
  parseTargetPrefixes({ raw, prefixes }) ??
  parseAtUserTarget({ raw, pattern: atUserPattern, errorMessage: atUserErrorMessage });

/** The id of a target that must be of a kind. @param {{platform: string, target?: MessagingTarget, kind: string}} params @returns {string} */
export function requireTargetKind({ platform, target, kind }) {
  if (!target) throw new Error(`${platform} ${kind} id is required.`);
  if (target.kind !== kind) throw new Error(`${platform} ${kind} id is required (use ${kind}:<id>).`);
  return target.id;
}

/** A channel's name as it is written in keys. @param {string} value @returns {string} */
export const normalizeChannelSlug = (value) => normalizeLowercaseStringOrEmpty(value).replace(/^#/, '').replace(/[^a-z0-9]+/g, '-').replace(/^-+|-+$/g, '');

/** Marks a result with what matched. @template T @param {T} result @param {{matchKey?: string, matchSource?: string}} match @returns {T} */
export function applyChannelMatchMeta(result, { matchKey, matchSource }) {
  return matchKey && matchSource ? Object.assign(result, { matchKey, matchSource }) : result;
}

/** The settings of a matched entry. @param {any} match @param {(entry: any) => any} resolveEntry @returns {any} */
export const resolveChannelMatchConfig = (match, resolveEntry) => (match.entry ? applyChannelMatchMeta(resolveEntry(match.entry), match) : null);

/** Lists within lists: the outer one must match, then the inner one. @param {any} params @returns {boolean} */
export const resolveNestedAllowlistDecision = ({ outerConfigured, outerMatched, innerConfigured, innerMatched }) =>
  !outerConfigured || (outerMatched && (!innerConfigured || innerMatched));

/** Inputs that could not be resolved. @param {string[]} inputs @param {string} note @returns {{input: string, resolved: false, note: string}[]} */
export const buildUnresolvedTargetResults = (inputs, note) => inputs.map((input) => ({ input, resolved: false, note }));

/** Resolves targets where there is a token. @param {any} params @returns {Promise<any[]>} */
export async function resolveTargetsWithOptionalToken({ token, inputs, missingTokenNote, resolveWithToken, mapResolved }) {
  const trimmed = token?.trim();
  if (!trimmed) return buildUnresolvedTargetResults(inputs, missingTokenNote);
  return (await resolveWithToken({ token: trimmed, inputs })).map((entry) => mapResolved(entry));
}

const CHAT_KINDS = [['chat_id', 'chatId', 'chatIdPrefixes'], ['chat_guid', 'chatGuid', 'chatGuidPrefixes'], ['chat_identifier', 'chatIdentifier', 'chatIdentifierPrefixes']];

/** A chat behind a prefix. `refuse` is called for a prefix without a usable value. */
function chatTarget(params, refuse) {
  for (const [kind, member, list] of CHAT_KINDS) {
    for (const prefix of params[list]) {
      if (!params.lower.startsWith(prefix)) continue;
      const text = params.trimmed.slice(prefix.length).trim();
      const value = kind === 'chat_id' ? parseStrictInteger(text) : text || undefined;
      if (value !== undefined) return { kind, [member]: value };
      refuse?.(kind, text);
    }
  }
  return null;
}

/** A chat target, or `null`; a prefix without a value throws. @param {any} params @returns {any} */
export const parseChatTargetPrefixesOrThrow = (params) =>
  chatTarget(params, (kind, text) => {
    throw new Error(kind === 'chat_id' ? `Invalid chat_id: ${text}` : `${kind} is required`);
  });

/** The same for entries of allow lists, where a prefix without a value is skipped. @param {any} params @returns {any} */
export const parseChatAllowTargetPrefixes = (params) => chatTarget(params);

function serviceRemainder({ trimmed, lower, servicePrefixes }) {
  const found = servicePrefixes.find(({ prefix }) => lower.startsWith(prefix));
  return found && { ...found, rest: trimmed.slice(found.prefix.length).trim() };
}

/** A handle behind the prefix of a service; what looks like a chat is parsed as one. @param {any} params @returns {any} */
export function resolveServicePrefixedTarget(params) {
  const found = serviceRemainder(params);
  if (!found) return null;
  if (!found.rest) throw new Error(`${found.prefix} target is required`);
  return params.isChatTarget(found.rest.toLowerCase()) ? params.parseTarget(found.rest) : { kind: 'handle', to: found.rest, service: found.service };
}

/** The same with the prefixes of chats. @param {any} params @returns {any} */
export function resolveServicePrefixedChatTarget(params) {
  const prefixes = [...params.chatIdPrefixes, ...params.chatGuidPrefixes, ...params.chatIdentifierPrefixes, ...(params.extraChatPrefixes ?? [])];
  return resolveServicePrefixedTarget({ ...params, isChatTarget: (rest) => prefixes.some((prefix) => rest.startsWith(prefix)) });
}

/** The same for entries of allow lists. @param {any} params @returns {any} */
export function resolveServicePrefixedAllowTarget(params) {
  const found = serviceRemainder(params);
  if (!found) return null;
  return found.rest ? params.parseAllowTarget(found.rest) : { kind: 'handle', handle: '' };
}

/** A service's handle, else a chat, else `null`. @param {any} params @returns {any} */
export const resolveServicePrefixedOrChatAllowTarget = (params) => resolveServicePrefixedAllowTarget(params) || parseChatAllowTargetPrefixes(params);

/** Whether a sender, or the chat where chats count, is in a list. @param {any} params @returns {boolean} */
export function isAllowedParsedChatSender(params) {
  const entries = normalizeStringEntries(params.allowFrom);
  if (entries.includes('*')) return true;
  const chats = params.allowConversationTargets === true;
  const own = {
    chat_id: ['chatId', chats ? (params.chatId ?? undefined) : undefined],
    chat_guid: ['chatGuid', chats ? normalizeOptionalString(params.chatGuid) : undefined],
    chat_identifier: ['chatIdentifier', chats ? normalizeOptionalString(params.chatIdentifier) : undefined],
    handle: ['handle', entries.length > 0 ? params.normalizeSender(params.sender) || undefined : undefined],
  };
  return entries.some((entry) => {
    const parsed = params.parseAllowTarget(entry);
    const [member, value] = own[parsed.kind] ?? [];
    return value !== undefined && parsed[member] === value;
  });
}

/** A matcher with the rules of a channel. @param {any} rules @returns {(input: any) => boolean} */
export const createAllowedChatSenderMatcher = (rules) => (input) =>
  isAllowedParsedChatSender({ ...input, ...rules, allowConversationTargets: input.allowConversationTargets ?? rules.allowConversationTargets ?? false });
