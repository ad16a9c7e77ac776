// Lookup of channel entries by their keys.

/** The distinct keys under which an entry may stand. */
export const buildChannelKeyCandidates = (...keys) => [...new Set(keys.filter((key) => typeof key === 'string').map((key) => key.trim()).filter(Boolean))];

/** The entry under the first key that exists, and the wildcard entry. */
export function resolveChannelEntryMatch({ entries = {}, keys, wildcardKey }) {
  const all = entries ?? {};
  const match = {};
  const key = keys.find((candidate) => Object.hasOwn(all, candidate));
  if (key !== undefined) Object.assign(match, { entry: all[key], key });
  if (wildcardKey && Object.hasOwn(all, wildcardKey)) Object.assign(match, { wildcardEntry: all[wildcardKey], wildcardKey });
  return match;
}

function byNormalisedKey(entries, keys, normalizeKey) {
  const wanted = keys.map((key) => normalizeKey(key)).filter(Boolean);
  return Object.entries(entries ?? {}).find(([key]) => normalizeKey(key) && wanted.includes(normalizeKey(key)));
}

/** The entry itself, else its parent's, else the wildcard's. */
export function resolveChannelEntryMatchWithFallback({ entries, keys, parentKeys = [], wildcardKey, normalizeKey }) {
  const direct = resolveChannelEntryMatch({ entries, keys, wildcardKey });
  if (direct.entry && direct.key) return { ...direct, matchKey: direct.key, matchSource: 'direct' };
  const near = normalizeKey && byNormalisedKey(entries, keys, normalizeKey);
  if (near) return { ...direct, entry: near[1], key: near[0], matchKey: near[0], matchSource: 'direct' };
  const exact = resolveChannelEntryMatch({ entries, keys: parentKeys });
  const parent = exact.entry && exact.key ? [exact.key, exact.entry] : normalizeKey && byNormalisedKey(entries, parentKeys, normalizeKey);
  if (parent) {
    const [key, entry] = parent;
    return { ...direct, entry, key, parentEntry: entry, parentKey: key, matchKey: key, matchSource: 'parent' };
  }
  if (!direct.wildcardEntry || !direct.wildcardKey) return direct;
  return { ...direct, entry: direct.wildcardEntry, key: direct.wildcardKey, matchKey: direct.wildcardKey, matchSource: 'wildcard' };
}
