// Allow lists of channel ingress: identities, entries, access groups, and what of them matches a sender.
import { normalizeStringEntries, uniqueValues } from './strings.js';

/** The group that an allow-list entry refers to, or `null`. */
export function parseAccessGroupAllowFromEntry(entry) {
  const name = /^accessGroup:(.*)$/s.exec(entry.trim())?.[1].trim();
  return name || null;
}
export const accessGroupNames = (entries) => uniqueValues(entries.map((entry) => parseAccessGroupAllowFromEntry(String(entry))).filter(Boolean));
export const directEntries = (entries) => entries.filter((entry) => parseAccessGroupAllowFromEntry(entry) === null);

/** The fields by which a sender is known: the primary one first. */
export function identityFields({ primary, aliases = [] }) {
  const first = { ...primary, key: primary.key ?? 'stableId', kind: primary.kind ?? 'stable-id' };
  return [first, ...(aliases ?? []).map((alias) => ({ ...alias, kind: alias.kind ?? `plugin:${alias.key}` }))];
}

/** An identity whose primary field does not change over time. */
export function defineStableChannelIngressIdentity(params = {}) {
  const { entryIdPrefix, resolveEntryId, aliases, isWildcardEntry, matchEntry, ...primary } = params;
  const numbered = entryIdPrefix ? ({ entryIndex }) => `${entryIdPrefix}-${entryIndex + 1}` : undefined;
  return { primary, aliases, isWildcardEntry, matchEntry, resolveEntryId: resolveEntryId ?? numbered };
}

function fieldValue(field, value, side) {
  const normalize = (side === 'entry' ? field.normalizeEntry : field.normalizeSubject) ?? field.normalize;
  const result = normalize ? normalize(value) : value;
  return result == null ? null : result.trim() || null;
}
const isDangerous = (field, value) => (typeof field.dangerous === 'function' ? field.dangerous(value) : field.dangerous);
const matchKey = ({ kind, value }) => `${kind}:${value}`;

/** A sender's identifiers. */
export function createIdentitySubject(identity, { stableId, aliases }) {
  const identifiers = identityFields(identity).flatMap((field, index) => {
    const raw = index === 0 ? stableId : aliases?.[field.key];
    if (raw == null) return [];
    const value = String(raw);
    return [{ opaqueId: field.key, kind: field.kind, value, dangerous: isDangerous(field, value), sensitivity: field.sensitivity }];
  });
  return { identifiers };
}

/** Normalises entries and matches senders by the rules of an identity. */
export function createIdentityAdapter(identity) {
  const fields = identityFields(identity);
  const isWildcard = identity.isWildcardEntry ?? ((value) => value === '*');
  const row = (field, fieldIndex, entry, entryIndex, value, suffix = field.key) => ({
    opaqueEntryId: identity.resolveEntryId?.({ entry, entryIndex, fieldKey: field.key, fieldIndex }) ?? `entry-${entryIndex + 1}:${suffix}`,
    kind: field.kind,
    value,
    dangerous: isDangerous(field, entry),
    sensitivity: field.sensitivity,
  });
  return {
    normalizeEntries({ entries }) {
      const matchable = entries.flatMap((entry, entryIndex) => {
        if (isWildcard(entry)) return [row(fields[0], 0, entry, entryIndex, '*', 'wildcard')];
        return fields.flatMap((field, index) => {
          const value = fieldValue(field, entry, 'entry');
          return value ? [row(field, index, entry, entryIndex, value)] : [];
        });
      });
      return { matchable, invalid: [], disabled: [] };
    },
    matchSubject({ subject, entries, context }) {
      const keys = new Set();
      for (const { kind, value: raw } of subject.identifiers) {
        const field = fields.find((candidate) => candidate.kind === kind);
        const value = field && fieldValue(field, raw, 'subject');
        if (value) keys.add(matchKey({ kind, value }));
      }
      const fits = (entry) => identity.matchEntry?.({ subject, entry, context }) ?? (entry.value === '*' || keys.has(matchKey(entry)));
      const matchedEntryIds = entries.filter(fits).map((entry) => entry.opaqueEntryId);
      return { matched: matchedEntryIds.length > 0, matchedEntryIds };
    },
  };
}

const noMatch = () => ({ matched: false, matchedEntryIds: [] });

/** One match out of several. */
export function mergeMatches(matches) {
  const matchedEntryIds = uniqueValues(matches.flatMap((match) => match.matchedEntryIds));
  return { matched: matches.some((match) => match.matched) || matchedEntryIds.length > 0, matchedEntryIds };
}

async function matchEntries(input, entries, context) {
  if (entries.length === 0) return { normalizedEntries: [], invalidEntries: [], disabledEntries: [], match: noMatch() };
  const { adapter, subject, accountId } = input;
  const { matchable, invalid, disabled } = await adapter.normalizeEntries({ entries, context, accountId });
  const match = matchable.length > 0 ? await adapter.matchSubject({ subject, entries: matchable, context }) : noMatch();
  // Values stay out of what is reported.
  return { normalizedEntries: matchable.map(({ value: _value, ...entry }) => entry), invalidEntries: invalid, disabledEntries: disabled, match };
}

async function matchAccessGroups(input, referenced, context) {
  const accessGroups = { referenced: [...referenced], matched: [], missing: [], unsupported: [], failed: [] };
  const parts = [];
  const facts = new Map((input.accessGroupMembership ?? []).map((fact) => [fact.groupName, fact]));
  for (const name of referenced) {
    const fact = facts.get(name);
    const group = input.accessGroups?.[name];
    if (fact?.kind === 'matched') {
      accessGroups.matched.push(name);
      parts.push({ normalizedEntries: [], invalidEntries: [], disabledEntries: [], match: { matched: true, matchedEntryIds: fact.matchedEntryIds } });
    } else if (['missing', 'unsupported', 'failed'].includes(fact?.kind)) accessGroups[fact.kind].push(name);
    else if (fact?.kind !== 'not-matched' && !group) accessGroups.missing.push(name);
    else if (fact?.kind !== 'not-matched' && group.type !== 'message.senders') accessGroups.unsupported.push(name);
    else if (fact?.kind !== 'not-matched') {
      const members = normalizeStringEntries([...(group.members['*'] ?? []), ...(group.members[input.channelId] ?? [])]);
      const part = await matchEntries(input, members, context);
      parts.push(part);
      if (part.match.matched) accessGroups.matched.push(name);
    }
  }
  return { accessGroups, parts };
}

/** An allow list with what of it matches the sender. */
export async function resolveAllowlist(input, rawEntries, context) {
  const entries = normalizeStringEntries(rawEntries);
  const direct = await matchEntries(input, directEntries(entries), context);
  const { accessGroups, parts } = await matchAccessGroups(input, accessGroupNames(entries), context);
  const match = mergeMatches([direct.match, ...parts.map((part) => part.match)]);
  const all = (key) => [direct, ...parts].flatMap((part) => part[key]);
  return {
    rawEntryCount: entries.length,
    normalizedEntries: all('normalizedEntries'),
    invalidEntries: all('invalidEntries'),
    disabledEntries: all('disabledEntries'),
    matchedEntryIds: match.matchedEntryIds,
    hasConfiguredEntries: entries.length > 0,
    hasMatchableEntries: all('normalizedEntries').length > 0,
    hasWildcard: directEntries(entries).includes('*'),
    accessGroups,
    match,
  };
}

/** One allow list out of several. */
export function mergeAllowlists(lists) {
  const all = (key) => lists.flatMap((list) => list[key]);
  const any = (key) => lists.some((list) => list[key]);
  const groups = (key) => uniqueValues(lists.flatMap((list) => list.accessGroups[key]));
  const match = mergeMatches(lists.map((list) => ({ matched: list.match.matched, matchedEntryIds: list.matchedEntryIds })));
  return {
    rawEntryCount: lists.reduce((sum, list) => sum + list.rawEntryCount, 0),
    normalizedEntries: all('normalizedEntries'),
    invalidEntries: all('invalidEntries'),
    disabledEntries: all('disabledEntries'),
    matchedEntryIds: match.matchedEntryIds,
    hasConfiguredEntries: any('hasConfiguredEntries'),
    hasMatchableEntries: any('hasMatchableEntries'),
    hasWildcard: any('hasWildcard'),
    accessGroups: {
      referenced: groups('referenced'), matched: groups('matched'), missing: groups('missing'), unsupported: groups('unsupported'), failed: groups('failed'),
    },
    match,
  };
}

/** Entries that a person can change do not count unless the policy allows them. */
export function withoutMutableEntries(list, policy) {
  const dangerous = list.normalizedEntries.filter((entry) => entry.dangerous);
  if (policy.mutableIdentifierMatching === 'enabled' || dangerous.length === 0) return list;
  const ids = new Set(dangerous.map((entry) => entry.opaqueEntryId));
  const matchedEntryIds = list.matchedEntryIds.filter((id) => !ids.has(id));
  return {
    ...list,
    disabledEntries: [...list.disabledEntries, ...dangerous.map(({ opaqueEntryId }) => ({ opaqueEntryId, reasonCode: 'mutable_identifier_disabled' }))],
    matchedEntryIds,
    hasMatchableEntries: list.normalizedEntries.some((entry) => !entry.dangerous),
    match: { matched: matchedEntryIds.length > 0, matchedEntryIds },
  };
}

/** The lists that count in direct messages and in groups. */
export function resolveChannelIngressEffectiveAllowFromLists({ allowFrom, groupAllowFrom, storeAllowFrom, dmPolicy, groupAllowFromFallbackToAllowFrom: fallback }) {
  const list = (value) => (Array.isArray(value) ? value : []);
  const fromStore = dmPolicy === 'allowlist' || dmPolicy === 'open' ? [] : list(storeAllowFrom);
  const group = list(groupAllowFrom).length > 0 ? groupAllowFrom : fallback === false ? [] : list(allowFrom);
  return { effectiveAllowFrom: normalizeStringEntries([...list(allowFrom), ...fromStore]), effectiveGroupAllowFrom: normalizeStringEntries(group) };
}
