// Entries of directories, made from what is configured.
import { normalizeLowercaseStringOrEmpty, normalizeOptionalString } from './strings.js';

/** @typedef {{kind: string, id: string}} DirectoryEntry */

/** @returns {Promise<DirectoryEntry[]>} */
export const emptyChannelDirectoryList = async () => [];
/** @param {string} kind @param {string[]} ids @returns {DirectoryEntry[]} */
export const toDirectoryEntries = (kind, ids) => ids.map((id) => ({ kind, id }));

/** The ids that contain a query, up to a limit. @param {string[]} ids @param {{query?: string|null, limit?: number|null}} params @returns {string[]} */
export function applyDirectoryQueryAndLimit(ids, { query, limit }) {
  const wanted = normalizeLowercaseStringOrEmpty(query);
  const found = ids.filter((id) => normalizeLowercaseStringOrEmpty(id).includes(wanted));
  return typeof limit === 'number' && limit > 0 ? found.slice(0, limit) : found;
}

/** The distinct ids of several lists; `*` and blanks are nobody. @param {{sources: Iterable<any>[], normalizeId?: (id: string) => string|null|undefined}} params @returns {string[]} */
export function collectNormalizedDirectoryIds({ sources, normalizeId = (id) => id }) {
  const ids = sources.flatMap((source) => [...source]).map((value) => normalizeOptionalString(value)).filter((value) => value && value !== '*');
  return [...new Set(ids.map((value) => normalizeOptionalString(normalizeId(value))).filter(Boolean))];
}

const texts = (list) => (list ?? []).map(String);
const keys = (record) => Object.keys(record ?? {});
const listed = (kind, sources, params) => {
  const ids = sources.flatMap(([values, normalizeId]) => collectNormalizedDirectoryIds({ sources: [values], normalizeId: normalizeId ?? undefined }));
  return toDirectoryEntries(kind, applyDirectoryQueryAndLimit([...new Set(ids)], params));
};

/** @param {any} params @returns {DirectoryEntry[]} */
export const listDirectoryEntriesFromSources = (params) => toDirectoryEntries(params.kind, applyDirectoryQueryAndLimit(collectNormalizedDirectoryIds(params), params));
/** People of an allow list. @param {any} params @returns {DirectoryEntry[]} */
export const listDirectoryUserEntriesFromAllowFrom = (params) => listed('user', [[texts(params.allowFrom), params.normalizeId]], params);
/** People of an allow list and of the keys of a record. @param {any} params @returns {DirectoryEntry[]} */
export const listDirectoryUserEntriesFromAllowFromAndMapKeys = (params) =>
  listed('user', [[texts(params.allowFrom), params.normalizeAllowFromId], [keys(params.map), params.normalizeMapKeyId]], params);
/** Groups of the keys of a record. @param {any} params @returns {DirectoryEntry[]} */
export const listDirectoryGroupEntriesFromMapKeys = (params) => listed('group', [[keys(params.groups), params.normalizeId]], params);
/** Groups of the keys of a record and of an allow list. @param {any} params @returns {DirectoryEntry[]} */
export const listDirectoryGroupEntriesFromMapKeysAndAllowFrom = (params) =>
  listed('group', [[keys(params.groups), params.normalizeMapKeyId], [texts(params.allowFrom), params.normalizeAllowFromId]], params);

/** The same for a resolved account. @param {any} params @returns {DirectoryEntry[]} */
export const listResolvedDirectoryEntriesFromSources = ({ cfg, accountId, resolveAccount, resolveSources, ...params }) =>
  listDirectoryEntriesFromSources({ ...params, sources: resolveSources(resolveAccount(cfg, accountId)) });
/** @param {any} params @returns {DirectoryEntry[]} */
export const listResolvedDirectoryUserEntriesFromAllowFrom = ({ cfg, accountId, resolveAccount, resolveAllowFrom, ...params }) =>
  listDirectoryUserEntriesFromAllowFrom({ ...params, allowFrom: resolveAllowFrom(resolveAccount(cfg, accountId)) });
/** @param {any} params @returns {DirectoryEntry[]} */
export const listResolvedDirectoryGroupEntriesFromMapKeys = ({ cfg, accountId, resolveAccount, resolveGroups, ...params }) =>
  listDirectoryGroupEntriesFromMapKeys({ ...params, groups: resolveGroups(resolveAccount(cfg, accountId)) });
/** The same for an account that is only looked at; none without one. @param {any} params @returns {DirectoryEntry[]} */
export function listInspectedDirectoryEntriesFromSources({ cfg, accountId, inspectAccount, resolveSources, ...params }) {
  const account = inspectAccount(cfg, accountId);
  return account ? listDirectoryEntriesFromSources({ ...params, sources: resolveSources(account) }) : [];
}

/** A directory function of a channel. @param {any} params @returns {(query: any) => Promise<DirectoryEntry[]>} */
export const createResolvedDirectoryEntriesLister = (params) => async (query) => listResolvedDirectoryEntriesFromSources({ ...query, ...params });
/** @param {any} params @returns {(query: any) => Promise<DirectoryEntry[]>} */
export const createInspectedDirectoryEntriesLister = (params) => async (query) => listInspectedDirectoryEntriesFromSources({ ...query, ...params });
