// Accounts of a channel: ids, lookup, merging of settings.
import { isRecord, normalizeLowercaseStringOrEmpty, normalizeOptionalString } from './strings.js';

/** The account that a channel has without naming any. */
export const DEFAULT_ACCOUNT_ID = 'default';
const VALID = /^[a-z0-9][a-z0-9_-]{0,63}$/i;
const UNSAFE_KEYS = new Set(['__proto__', 'prototype', 'constructor']);

/** Text as an id of at most 64 characters; empty when nothing is left. */
export function canonicalId(text) {
  const lower = normalizeLowercaseStringOrEmpty(text);
  if (VALID.test(text)) return lower;
  return lower.replace(/[^a-z0-9_-]+/g, '-').replace(/^-+/, '').replace(/-+$/, '').slice(0, 64);
}

/** An account id in canonical form, or `undefined`. */
export function normalizeOptionalAccountId(value) {
  const id = canonicalId((value ?? '').trim());
  return id && !UNSAFE_KEYS.has(id) ? id : undefined;
}

/** An account id in canonical form; `default` when there is none. */
export const normalizeAccountId = (value) => normalizeOptionalAccountId(value) ?? DEFAULT_ACCOUNT_ID;

/** An agent id in canonical form; `main` when there is none. */
export const normalizeAgentId = (value) => canonicalId((value ?? '').trim()) || 'main';

/** The settings of an account, found by its id without regard to case. */
export const resolveAccountEntry = (accounts, accountId) =>
  resolveNormalizedAccountEntry(accounts, accountId, normalizeLowercaseStringOrEmpty);

/** The settings of an account, found by ids that a function makes equal. */
export function resolveNormalizedAccountEntry(accounts, accountId, normalize) {
  if (!accounts || typeof accounts !== 'object') return undefined;
  if (Object.hasOwn(accounts, accountId)) return accounts[accountId];
  const wanted = normalize(accountId);
  const key = Object.keys(accounts).find((candidate) => normalize(candidate) === wanted);
  return key === undefined ? undefined : accounts[key];
}

/** Channel settings with an account's own on top; `accounts` and `omitKeys` are not inherited. */
export function mergeAccountConfig({ channelConfig, accountConfig, omitKeys = [], nestedObjectKeys = [] }) {
  const left = new Set(['accounts', ...omitKeys]);
  const base = Object.fromEntries(Object.entries(channelConfig ?? {}).filter(([key]) => !left.has(key)));
  const merged = { ...base, ...accountConfig };
  for (const key of nestedObjectKeys) {
    if (isRecord(base[key]) && isRecord(accountConfig?.[key])) merged[key] = { ...base[key], ...accountConfig[key] };
  }
  return merged;
}

/** Looks an account up and merges it. */
export function resolveMergedAccountConfig({ accounts, accountId, normalizeAccountId: normalize, ...rest }) {
  const accountConfig = normalize ? resolveNormalizedAccountEntry(accounts, accountId, normalize) : resolveAccountEntry(accounts, accountId);
  return mergeAccountConfig({ ...rest, accountConfig });
}

/** All account ids, sorted. */
export function listCombinedAccountIds({ configuredAccountIds, additionalAccountIds, implicitAccountId, fallbackAccountIdWhenEmpty }) {
  const ids = new Set([...configuredAccountIds, ...(additionalAccountIds ?? []), implicitAccountId].filter(Boolean));
  if (ids.size === 0 && fallbackAccountIdWhenEmpty) return [fallbackAccountIdWhenEmpty];
  return [...ids].sort((a, b) => a.localeCompare(b));
}

/** The account that is used when none is named. */
export function resolveListedDefaultAccountId(params) {
  const { accountIds, configuredDefaultAccountId: preferred, normalizeListedAccountId = normalizeAccountId } = params;
  const listed = preferred && accountIds.some((id) => normalizeListedAccountId(id) === preferred);
  if (preferred && (params.allowUnlistedDefaultAccount || listed)) return preferred;
  if (accountIds.includes(DEFAULT_ACCOUNT_ID)) return DEFAULT_ACCOUNT_ID;
  if (params.ambiguousFallbackAccountId && accountIds.length > 1) return params.ambiguousFallbackAccountId;
  return accountIds[0] ?? DEFAULT_ACCOUNT_ID;
}

/** An account without credentials gives way to the default account when that one has them. */
export function resolveAccountWithDefaultFallback(params) {
  const accountId = params.normalizeAccountId(params.accountId);
  const primary = params.resolvePrimary(accountId);
  if (params.accountId?.trim() || params.hasCredential(primary)) return primary;
  const otherId = params.resolveDefaultAccountId();
  if (otherId === accountId) return primary;
  const other = params.resolvePrimary(otherId);
  return params.hasCredential(other) ? other : primary;
}

/** The three list functions of a channel's accounts. */
export function createAccountListHelpers(channelKey, options = {}) {
  const listConfiguredAccountIds = (cfg) => {
    const accounts = cfg.channels?.[channelKey]?.accounts;
    if (!accounts || typeof accounts !== 'object') return [];
    const ids = Object.keys(accounts).filter(Boolean);
    return options.normalizeAccountId ? [...new Set(ids.map((id) => options.normalizeAccountId(id)).filter(Boolean))] : ids;
  };
  const listAccountIds = (cfg) =>
    listCombinedAccountIds({ configuredAccountIds: listConfiguredAccountIds(cfg), fallbackAccountIdWhenEmpty: DEFAULT_ACCOUNT_ID });
  const configuredDefault = (cfg) => {
    const raw = cfg.channels?.[channelKey]?.defaultAccount;
    const preferred = normalizeOptionalAccountId(typeof raw === 'string' ? raw : undefined);
    if (!preferred || options.allowUnlistedDefaultAccount) return preferred;
    return listAccountIds(cfg).some((id) => normalizeAccountId(id) === preferred) ? preferred : undefined;
  };
  const resolveDefaultAccountId = (cfg) =>
    resolveListedDefaultAccountId({
      accountIds: listAccountIds(cfg),
      configuredDefaultAccountId: configuredDefault(cfg),
      allowUnlistedDefaultAccount: options.allowUnlistedDefaultAccount,
    });
  return { listConfiguredAccountIds, listAccountIds, resolveDefaultAccountId };
}

/** Whether an action is on: the account's setting, then the channel's, then the default. */
export function createAccountActionGate({ accountActions, baseActions }) {
  return (key, defaultValue = true) => accountActions?.[key] ?? baseActions?.[key] ?? defaultValue;
}

/** What status shows of an account. */
export function describeAccountSnapshot({ account, configured, extra }) {
  return {
    accountId: account.accountId ?? DEFAULT_ACCOUNT_ID,
    name: normalizeOptionalString(account.name),
    enabled: account.enabled !== false,
    configured,
    ...extra,
  };
}

/** The same for an account that is reached by webhook. */
export const describeWebhookAccountSnapshot = ({ account, configured, mode, extra }) =>
  describeAccountSnapshot({ account, configured, extra: { mode: mode ?? 'webhook', ...extra } });

/** `direct`, `group` or `channel`. */
export function normalizeChatType(raw) {
  const value = normalizeLowercaseStringOrEmpty(raw);
  if (value === 'dm') return 'direct';
  return ['direct', 'group', 'channel'].includes(value) ? value : undefined;
}
