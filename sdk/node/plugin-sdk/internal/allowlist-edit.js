// The `allowlist` adapter of channels: what is configured, and edits of it.
import { DEFAULT_ACCOUNT_ID, normalizeAccountId } from './accounts.js';

const DIRECT = { readPaths: [['allowFrom']], writePath: ['allowFrom'] };
const GROUP = { readPaths: [['groupAllowFrom']], writePath: ['groupAllowFrom'] };
const NESTED_DIRECT = { readPaths: [['allowFrom'], ['dm', 'allowFrom']], writePath: ['allowFrom'], cleanupPaths: [['dm', 'allowFrom']] };

/** Where a channel keeps its lists. @param {string} scope @returns {any} */
export const resolveDmGroupAllowlistConfigPaths = (scope) => (scope === 'dm' ? DIRECT : GROUP);
/** The same for channels that once kept them below `dm`. @param {string} scope @returns {any} */
export const resolveLegacyDmAllowlistConfigPaths = (scope) => (scope === 'dm' ? NESTED_DIRECT : null);

/** A configured list as texts. @param {any[]|null|undefined} entries @returns {string[]} */
export const readConfiguredAllowlistEntries = (entries) => (entries ?? []).map(String).filter(Boolean);

const MISSING = Symbol('missing');
function at(root, path) {
  let current = root;
  for (const key of path) {
    if (!current || typeof current !== 'object') return undefined;
    current = current[key];
  }
  return current;
}

function put(root, path, value) {
  let parent = root;
  for (const key of path.slice(0, -1)) {
    if (value === MISSING && (!parent[key] || typeof parent[key] !== 'object')) return;
    if (!parent[key] || typeof parent[key] !== 'object') parent[key] = {};
    parent = parent[key];
  }
  if (value === MISSING) delete parent[path.at(-1)];
  else parent[path.at(-1)] = value;
}

/** The section that an account's settings are written to; made when it is not there. */
function writeTargetOf(config, channelId, rawAccountId) {
  const channel = ((config.channels ??= {})[channelId] ??= {});
  const accountId = normalizeAccountId(rawAccountId);
  const hasAccounts = Boolean(channel.accounts && typeof channel.accounts === 'object');
  if (accountId === DEFAULT_ACCOUNT_ID && !hasAccounts) {
    return { target: channel, pathPrefix: `channels.${channelId}`, writeTarget: { kind: 'channel', scope: { channelId } } };
  }
  const accounts = (channel.accounts ??= {});
  if (!Object.hasOwn(accounts, accountId) || !accounts[accountId] || typeof accounts[accountId] !== 'object') accounts[accountId] = {};
  return { target: accounts[accountId], pathPrefix: `channels.${channelId}.accounts.${accountId}`, writeTarget: { kind: 'account', scope: { channelId, accountId } } };
}

function editList({ config, channelId, accountId, action, entry, normalize, paths }) {
  const { target, pathPrefix, writeTarget } = writeTargetOf(config, channelId, accountId);
  const configured = paths.readPaths.map((path) => at(target, path)).filter(Array.isArray).flat();
  const existing = [...new Set(configured.map((item) => String(item).trim()).filter(Boolean))];
  const wanted = normalize([entry]);
  if (wanted.length === 0) return { kind: 'invalid-entry' };
  const same = (items) => normalize(items).some((item) => wanted.includes(item));
  let next = existing;
  if (action !== 'add') next = existing.filter((item) => !same([item]));
  else if (!same(existing)) next = [...existing, entry.trim()];
  const changed = next.length !== existing.length;
  if (changed) {
    put(target, paths.writePath, next.length > 0 ? next : MISSING);
    for (const path of paths.cleanupPaths ?? []) put(target, path, MISSING);
  }
  return { kind: 'ok', changed, pathLabel: `${pathPrefix}.${paths.writePath.join('.')}`, writeTarget };
}

/** An editor of a channel's lists; it changes the parsed configuration that it is given. @param {any} params @returns {Function} */
export const buildAccountScopedAllowlistConfigEditor = ({ channelId, normalize, resolvePaths }) =>
  ({ cfg, parsedConfig, accountId, scope, action, entry }) => {
    const paths = resolvePaths(scope);
    return paths && editList({ config: parsedConfig, channelId, accountId, action, entry, paths, normalize: (values) => normalize({ cfg, accountId, values }) });
  };

function adapter({ channelId, resolveAccount, normalize, scopes, resolvePaths, read }) {
  return {
    supportsScope: ({ scope }) => scopes.includes(scope),
    readConfig: ({ cfg, accountId }) => read(resolveAccount({ cfg, accountId }), { cfg, accountId }),
    applyConfigEdit: buildAccountScopedAllowlistConfigEditor({ channelId, normalize, resolvePaths }),
  };
}

/** The adapter of a channel with a list for direct messages and one for groups. @param {any} params @returns {any} */
export const buildDmGroupAccountAllowlistAdapter = (params) =>
  adapter({
    ...params,
    scopes: ['dm', 'group', 'all'],
    resolvePaths: resolveDmGroupAllowlistConfigPaths,
    read: (account, context) => ({
      dmAllowFrom: readConfiguredAllowlistEntries(params.resolveDmAllowFrom(account, context)),
      groupAllowFrom: readConfiguredAllowlistEntries(params.resolveGroupAllowFrom(account)),
      dmPolicy: params.resolveDmPolicy?.(account) ?? undefined,
      groupPolicy: params.resolveGroupPolicy?.(account) ?? undefined,
      groupOverrides: params.resolveGroupOverrides?.(account),
    }),
  });

/** The adapter of a channel whose direct list may still lie below `dm`. @param {any} params @returns {any} */
export const buildLegacyDmAccountAllowlistAdapter = (params) =>
  adapter({
    ...params,
    scopes: ['dm'],
    resolvePaths: resolveLegacyDmAllowlistConfigPaths,
    read: (account, context) => ({
      dmAllowFrom: readConfiguredAllowlistEntries(params.resolveDmAllowFrom(account, context)),
      groupPolicy: params.resolveGroupPolicy?.(account) ?? undefined,
      groupOverrides: params.resolveGroupOverrides?.(account),
    }),
  });

/** Lists of single groups, with labels. @param {{record?: Record<string, any>, label: Function, resolveEntries: Function}} params @returns {{label: string, entries: string[]}[]} */
export const collectAllowlistOverridesFromRecord = ({ record, label, resolveEntries }) =>
  Object.entries(record ?? {}).flatMap(([key, value]) => {
    const entries = value ? readConfiguredAllowlistEntries(resolveEntries(value)) : [];
    return entries.length > 0 ? [{ label: label(key, value), entries }] : [];
  });

/** The same for groups within groups. @param {any} params @returns {{label: string, entries: string[]}[]} */
export const collectNestedAllowlistOverridesFromRecord = ({ record, outerLabel, resolveOuterEntries, resolveChildren, innerLabel, resolveInnerEntries }) =>
  Object.entries(record ?? {}).flatMap(([outerKey, outer]) => outer ? [
    ...collectAllowlistOverridesFromRecord({ record: { [outerKey]: outer }, label: outerLabel, resolveEntries: resolveOuterEntries }),
    ...collectAllowlistOverridesFromRecord({ record: resolveChildren(outer), label: (key, value) => innerLabel(outerKey, key, value), resolveEntries: resolveInnerEntries }),
  ] : []);

/** A resolver of an account's single lists. @param {any} params @returns {(account: any) => {label: string, entries: string[]}[]} */
export const createFlatAllowlistOverrideResolver = ({ resolveRecord, ...params }) => (account) => collectAllowlistOverridesFromRecord({ ...params, record: resolveRecord(account) });
/** The same for groups within groups. @param {any} params @returns {(account: any) => {label: string, entries: string[]}[]} */
export const createNestedAllowlistOverrideResolver = ({ resolveRecord, ...params }) => (account) => collectNestedAllowlistOverridesFromRecord({ ...params, record: resolveRecord(account) });

/** Resolves names with an account's token; without a token nothing is known. @param {any} params @returns {(ctx: any) => Promise<any[]>} */
export const createAccountScopedAllowlistNameResolver = ({ resolveAccount, resolveToken, resolveNames }) => async ({ cfg, accountId, entries }) => {
  const token = resolveToken(resolveAccount({ cfg, accountId }))?.trim();
  return token ? resolveNames({ token, entries }) : [];
};
