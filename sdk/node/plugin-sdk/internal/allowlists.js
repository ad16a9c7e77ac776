// Allow lists of senders: matching, merging, resolving names to ids, access groups.
import { parseAccessGroupAllowFromEntry } from './ingress-lists.js';
import { formatAllowFromLowercase } from './feedback.js';
import { isRecord, normalizeLowercaseStringOrEmpty, normalizeOptionalLowercaseString, normalizeOptionalString, normalizeStringEntries, uniqueStrings, uniqueValues } from './strings.js';

/** How an entry of an allow list refers to an access group. */
export const ACCESS_GROUP_ALLOW_FROM_PREFIX = 'accessGroup:';

/** @typedef {{set: Set<string>, wildcard: boolean}} CompiledAllowlist */
/** @typedef {{allowed: boolean, matchKey?: string, matchSource?: string}} AllowlistMatch */

/** A list made ready for many lookups. @param {string[]} entries @returns {CompiledAllowlist} */
export function compileAllowlist(entries) {
  const set = new Set(entries.filter(Boolean));
  return { set, wildcard: set.has('*') };
}

/** The first candidate that is in the list; `*` counts as any other entry. @param {{compiledAllowlist: CompiledAllowlist, candidates: {value?: string, source: string}[]}} params @returns {AllowlistMatch} */
export function resolveAllowlistCandidates({ compiledAllowlist, candidates }) {
  const found = candidates.find(({ value }) => value && compiledAllowlist.set.has(value));
  return found ? { allowed: true, matchKey: found.value, matchSource: found.source } : { allowed: false };
}

/** The same, where `*` lets everybody in. @param {any} params @returns {AllowlistMatch} */
export function resolveCompiledAllowlistMatch(params) {
  if (params.compiledAllowlist.wildcard) return { allowed: true, matchKey: '*', matchSource: 'wildcard' };
  return resolveAllowlistCandidates(params);
}

/** The same with a plain list. @param {{allowList: string[], candidates: any[]}} params @returns {AllowlistMatch} */
export const resolveAllowlistMatchByCandidates = ({ allowList, candidates }) => resolveCompiledAllowlistMatch({ compiledAllowlist: compileAllowlist(allowList), candidates });

/** A sender by id, and by name where names count; without regard to case. @param {any} params @returns {AllowlistMatch} */
export function resolveAllowlistMatchSimple({ allowFrom, senderId, senderName, allowNameMatching }) {
  const entries = allowFrom.map((entry) => normalizeLowercaseStringOrEmpty(String(entry)));
  const names = allowNameMatching === true ? [{ value: normalizeOptionalLowercaseString(senderName), source: 'name' }] : [];
  return resolveAllowlistMatchByCandidates({ allowList: entries, candidates: [{ value: normalizeLowercaseStringOrEmpty(senderId), source: 'id' }, ...names] });
}

/** A match as text for logs. @param {AllowlistMatch|null} [match] @returns {string} */
export const formatAllowlistMatchMeta = (match) => `matchKey=${match?.matchKey ?? 'none'} matchSource=${match?.matchSource ?? 'none'}`;

/** Entries as a channel writes them; blanks dropped. @param {{allowFrom: any[], normalizeEntry: (entry: string) => string|undefined|null}} params @returns {string[]} */
export const formatNormalizedAllowFromEntries = ({ allowFrom, normalizeEntry }) => normalizeStringEntries(allowFrom).map((entry) => normalizeEntry(entry)).filter(Boolean);

/** Whether a sender is in a list; an empty list lets nobody in. @param {{senderId: string|number, allowFrom: any[], stripPrefixRe?: RegExp}} params @returns {boolean} */
export function isNormalizedSenderAllowed({ senderId, allowFrom, stripPrefixRe }) {
  const allowed = formatAllowFromLowercase({ allowFrom, stripPrefixRe });
  const sender = normalizeOptionalLowercaseString(String(senderId));
  return allowed.includes('*') || (sender !== undefined && allowed.includes(sender));
}

/** Whether an id is in a prepared list. @param {{entries: string[], hasEntries: boolean, hasWildcard: boolean}} allow @param {string|undefined} senderId @param {boolean} allowWhenEmpty @returns {boolean} */
export function isSenderIdAllowed(allow, senderId, allowWhenEmpty) {
  if (!allow.hasEntries) return allowWhenEmpty;
  return allow.hasWildcard || Boolean(senderId && allow.entries.includes(senderId));
}

/** The first value that is not `undefined`. @template T @param {...(T|undefined)} values @returns {T|undefined} */
export const firstDefined = (...values) => values.find((value) => value !== undefined);

function dedupe(entries) {
  const kept = new Map();
  for (const entry of entries) {
    const text = entry.trim();
    const key = text.toLowerCase();
    if (text && !kept.has(key)) kept.set(key, text);
  }
  return [...kept.values()];
}

/** Two lists as one; the first spelling of an entry stays. @param {{existing?: any[], additions: string[]}} params @returns {string[]} */
export const mergeAllowlist = ({ existing, additions }) => dedupe([...(existing ?? []).map(String), ...additions]);

const idOf = (resolved) => (resolved?.resolved && resolved.id ? resolved.id : undefined);

/** A list in which known names are replaced by their ids. @param {{existing?: any[], resolvedMap: Map<string, any>}} params @returns {string[]} */
export const canonicalizeAllowlistWithResolvedIds = ({ existing, resolvedMap }) =>
  dedupe((existing ?? []).map((entry) => normalizeOptionalString(entry) ?? '').map((entry) => (entry === '*' ? entry : (idOf(resolvedMap.get(entry)) ?? entry))));

/** What became of the names of a list. @param {any[]} resolvedUsers @param {{formatResolved?: Function, formatUnresolved?: Function}} [options] @returns {any} */
export function buildAllowlistResolutionSummary(resolvedUsers, options) {
  const { formatResolved = (entry) => `${entry.input}→${entry.id}`, formatUnresolved = (entry) => entry.input } = options ?? {};
  const known = resolvedUsers.filter(idOf);
  return {
    resolvedMap: new Map(resolvedUsers.map((entry) => [entry.input, entry])),
    mapping: known.map((entry) => formatResolved(entry)),
    unresolved: resolvedUsers.filter((entry) => !idOf(entry)).map((entry) => formatUnresolved(entry)),
    additions: known.map(idOf),
  };
}

/** Collects the `users` of a configuration entry. @param {Set<string>} target @param {unknown} entry @returns {void} */
export function addAllowlistUserEntriesFromConfigEntry(target, entry) {
  const users = entry && typeof entry === 'object' ? entry.users : undefined;
  for (const value of Array.isArray(users) ? users : []) {
    const user = normalizeOptionalString(value);
    if (user && user !== '*') target.add(user);
  }
}

/** Writes resolved ids into the `users` of configuration entries: beside the names, or instead of them. @param {any} params @returns {Record<string, any>} */
export function patchAllowlistUsersInConfigEntries({ entries, resolvedMap, strategy }) {
  const patched = { ...entries };
  for (const [key, entry] of Object.entries(entries)) {
    const existing = entry && typeof entry === 'object' ? entry.users : undefined;
    if (!Array.isArray(existing) || existing.length === 0) continue;
    const additions = existing.map((user) => idOf(resolvedMap.get(normalizeOptionalString(user) ?? ''))).filter(Boolean);
    patched[key] = { ...entry, users: strategy === 'canonicalize' ? canonicalizeAllowlistWithResolvedIds({ existing, resolvedMap }) : mergeAllowlist({ existing, additions }) };
  }
  return patched;
}

/** Maps inputs one after another. @param {{inputs: any[], mapInput: (input: any) => any}} params @returns {Promise<any[]>} */
export async function mapAllowlistResolutionInputs({ inputs, mapInput }) {
  const results = [];
  for (const input of inputs) results.push(await mapInput(input));
  return results;
}

/** The members that every resolution has. @param {any[]} entries @returns {any[]} */
export const mapBasicAllowlistResolutionEntries = (entries) => entries.map(({ input, resolved, id, name, note }) => ({ input, resolved, id, name, note }));

function membersOf(group, channel) {
  return group.type === 'message.senders' ? [...(group.members['*'] ?? []), ...(group.members[channel] ?? [])] : [];
}

async function membershipOf(name, { accessGroups, channel, accountId, senderId, isSenderAllowed, resolveMembership }) {
  const group = accessGroups?.[name];
  if (!group) return 'missing';
  const members = membersOf(group, channel);
  if (members.length > 0 && isSenderAllowed?.(senderId, members) === true) return 'matched';
  if (!resolveMembership) return group.type === 'message.senders' ? 'none' : 'unsupported';
  try {
    return (await resolveMembership({ name, group, channel, accountId, senderId })) ? 'matched' : 'none';
  } catch {
    return 'failed';
  }
}

/** Which access groups of a list the sender belongs to. @param {any} params @returns {Promise<any>} */
export async function resolveAccessGroupAllowFromState(params) {
  const referenced = uniqueValues((params.allowFrom ?? []).map((entry) => parseAccessGroupAllowFromEntry(String(entry))).filter((name) => name != null));
  const found = { matched: [], missing: [], unsupported: [], failed: [], none: [] };
  for (const name of referenced) found[await membershipOf(name, params)].push(name);
  const { none: _none, ...state } = found;
  const hasMatch = state.matched.length > 0;
  return { referenced, ...state, matchedAllowFromEntries: state.matched.map((name) => ACCESS_GROUP_ALLOW_FROM_PREFIX + name), hasReferences: referenced.length > 0, hasMatch };
}

/** The entries of a list whose access group the sender belongs to. @param {any} params @returns {Promise<string[]>} */
export async function resolveAccessGroupAllowFromMatches({ cfg, resolveMembership, ...params }) {
  const lookup = resolveMembership && cfg ? (query) => resolveMembership({ cfg, ...query }) : undefined;
  return (await resolveAccessGroupAllowFromState({ ...params, accessGroups: cfg?.accessGroups, resolveMembership: lookup })).matchedAllowFromEntries;
}

/** A list, with the sender added when an access group of the list lets it in. @param {any} params @returns {Promise<string[]>} */
export async function expandAllowFromWithAccessGroups({ senderAllowEntry, ...params }) {
  const allowFrom = (params.allowFrom ?? []).map(String);
  const matches = await resolveAccessGroupAllowFromMatches({ ...params, allowFrom });
  return matches.length === 0 ? allowFrom : uniqueStrings([...allowFrom, senderAllowEntry ?? params.senderId]);
}

/** Whether a value is set: any text but blanks, anything but nothing. @param {unknown} value @returns {boolean} */
export const hasConfiguredAccountValue = (value) => (typeof value === 'string' ? value.trim() !== '' : value !== undefined && value !== null);

/** Ids of configured accounts in canonical form. @param {{accounts?: Record<string, any>, normalizeAccountId: (id: string) => string}} params @returns {string[]} */
export const listConfiguredAccountIds = ({ accounts, normalizeAccountId }) => uniqueValues(Object.keys(isRecord(accounts) ? accounts : {}).filter(Boolean).map((id) => normalizeAccountId(id)));

/** A phone number as `+` and digits. @param {string} number @returns {string} */
export function normalizeE164(number) {
  const digits = number.replace(/^[a-z][a-z0-9-]*:/i, '').trim().replace(/[^\d+]/g, '');
  return `+${digits.startsWith('+') ? digits.slice(1) : digits}`;
}
