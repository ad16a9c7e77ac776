// Where direct-message settings of a channel lie: `dmPolicy` and `allowFrom`, or below `dm`.
import { isRecord, normalizeStringEntries } from './strings.js';

const POLICIES = new Set(['pairing', 'allowlist', 'open', 'disabled']);

/** A policy for direct messages, or `undefined`. @param {unknown} value @returns {string|undefined} */
export const normalizeChannelDmPolicy = (value) => (POLICIES.has(value) ? value : undefined);

function fieldPaths(mode, kind) {
  const top = [kind === 'policy' ? 'dmPolicy' : 'allowFrom'];
  const nested = ['dm', kind];
  return mode === 'nestedOnly' ? { canonical: nested, legacy: top } : { canonical: top, legacy: nested };
}

const read = (entry, path) => path.reduce((value, key) => (isRecord(value) ? value[key] : undefined), entry ?? undefined);

function write(entry, path, value) {
  const [key, inner] = path;
  if (inner === undefined) entry[key] = value;
  else entry[key] = { ...(isRecord(entry[key]) ? entry[key] : {}), [inner]: value };
}

/** Removes a field; an object that it leaves empty goes too. */
function remove(entry, [key, inner]) {
  if (inner === undefined) return Object.hasOwn(entry, key) && delete entry[key];
  if (!isRecord(entry[key]) || !Object.hasOwn(entry[key], inner)) return false;
  const { [inner]: _gone, ...rest } = entry[key];
  if (Object.keys(rest).length > 0) entry[key] = rest;
  else delete entry[key];
  return true;
}

function either(entry, mode, kind) {
  const { canonical, legacy } = fieldPaths(mode, kind);
  return read(entry, canonical) ?? read(entry, legacy);
}

/** The policy of an account, else of its parent, else the default. @param {any} params @returns {string|undefined} */
export const resolveChannelDmPolicy = ({ account, parent, mode = 'topOnly', defaultPolicy }) =>
  normalizeChannelDmPolicy(either(account, mode, 'policy') ?? either(parent, mode, 'policy') ?? defaultPolicy);

/** The list of an account, else of its parent. @param {any} params @returns {any[]|undefined} */
export function resolveChannelDmAllowFrom({ account, parent, mode = 'topOnly' }) {
  const value = either(account, mode, 'allowFrom') ?? either(parent, mode, 'allowFrom');
  return Array.isArray(value) ? value : undefined;
}

/** Both. @param {any} params @returns {{dmPolicy?: string, allowFrom?: any[]}} */
export const resolveChannelDmAccess = (params) => ({ dmPolicy: resolveChannelDmPolicy(params), allowFrom: resolveChannelDmAllowFrom(params) });

const dotted = (prefix, path) => `${prefix}.${path.join('.')}`;

/** Writes the list to its place and removes it from the older one; says so in `changes`. @param {any} params @returns {void} */
export function setCanonicalDmAllowFrom({ entry, mode, allowFrom, pathPrefix, changes, reason }) {
  const { canonical, legacy } = fieldPaths(mode, 'allowFrom');
  write(entry, canonical, [...allowFrom]);
  if (remove(entry, legacy)) changes?.push(`- ${dotted(pathPrefix, legacy)}: removed after moving allowlist to ${dotted(pathPrefix, canonical)}`);
  changes?.push(`- ${dotted(pathPrefix, canonical)}: ${reason}`);
}

/** The policy `open` needs `*` in the list: adds it, and moves both settings to their place. @param {any} params @returns {void} */
export function ensureOpenDmPolicyAllowFromWildcard({ entry, mode, pathPrefix, changes }) {
  if (resolveChannelDmPolicy({ account: entry, mode }) !== 'open') return;
  const policy = fieldPaths(mode, 'policy');
  if (read(entry, policy.canonical) === undefined && read(entry, policy.legacy) === 'open') {
    write(entry, policy.canonical, 'open');
    remove(entry, policy.legacy);
    changes.push(`- ${dotted(pathPrefix, policy.canonical)}: set to "open" (migrated from ${dotted(pathPrefix, policy.legacy)})`);
  }
  const list = fieldPaths(mode, 'allowFrom');
  const inPlace = read(entry, list.canonical);
  const source = [inPlace, read(entry, list.legacy)].find(Array.isArray);
  const set = (allowFrom, reason) => setCanonicalDmAllowFrom({ entry, mode, allowFrom, pathPrefix, changes, reason });
  if (!source) set(['*'], 'set to ["*"] (required by dmPolicy="open")');
  else if (!source.some((value) => String(value).trim() === '*')) set([...source, '*'], 'added "*" (required by dmPolicy="open")');
  else if (inPlace === undefined) set(source, `moved wildcard allowlist from ${dotted(pathPrefix, list.legacy)}`);
}

function sameLists(left, right) {
  if (!Array.isArray(left) || !Array.isArray(right)) return false;
  return JSON.stringify(normalizeStringEntries(left)) === JSON.stringify(normalizeStringEntries(right));
}

/** Moves `dm.policy` and `dm.allowFrom` to the top of an entry. @param {any} params @returns {{entry: any, changed: boolean}} */
export function normalizeLegacyDmAliases({ entry, pathPrefix, changes, promoteAllowFrom }) {
  const dm = isRecord(entry.dm) ? { ...entry.dm } : null;
  if (!dm) return { entry, changed: false };
  const updated = { ...entry };
  let moved = false;
  const promote = (inner, top, equal) => {
    if (dm[inner] === undefined) return;
    if (updated[top] !== undefined && !equal(updated[top], dm[inner])) return;
    const taken = updated[top] !== undefined;
    if (!taken) updated[top] = dm[inner];
    delete dm[inner];
    moved = true;
    changes.push(taken ? `Removed ${pathPrefix}.dm.${inner} (${top} already set).` : `Moved ${pathPrefix}.dm.${inner} → ${pathPrefix}.${top}.`);
  };
  promote('policy', 'dmPolicy', Object.is);
  if (promoteAllowFrom !== false) promote('allowFrom', 'allowFrom', sameLists);
  if (!moved) return { entry, changed: false };
  if (Object.keys(dm).length > 0) return { entry: { ...updated, dm }, changed: true };
  delete updated.dm;
  changes.push(`Removed empty ${pathPrefix}.dm after migration.`);
  return { entry: updated, changed: true };
}
