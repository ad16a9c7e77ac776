// The messages of a conversation that nobody has answered yet.

/** The line before those messages, and the one before the message to answer. */
export const HISTORY_CONTEXT_MARKER = '[Chat messages since your last reply - for context]';
export const CURRENT_MESSAGE_MARKER = '[Current message - respond to this]';
/** How many messages of a group are kept. */
export const DEFAULT_GROUP_HISTORY_LIMIT = 50;
const MAX_KEYS = 1000;
const MEDIA_LIMIT = 4;
/** A path, with a drive perhaps, and no URL. */
const isLocal = (file) => /^[a-z]:[\\/]/i.test(file) || !/^[a-z][a-z0-9+.-]*:/i.test(file);

/** Forgets the conversations that were written to longest ago. @param {Map<string, any[]>} map @param {number} [maxKeys] @returns {void} */
export function evictOldHistoryKeys(map, maxKeys = MAX_KEYS) {
  for (const key of map.keys()) {
    if (map.size <= maxKeys) break;
    map.delete(key);
  }
}

function append(map, key, limit, entry) {
  if (!entry || limit <= 0) return [];
  const list = map.get(key) ?? [];
  list.push(entry);
  if (list.length > limit) list.splice(0, list.length - limit);
  map.delete(key);
  map.set(key, list);
  evictOldHistoryKeys(map);
  return list;
}

/** Images on this machine, each once. @param {{media?: any[]|null, messageId?: string, limit?: number}} params @returns {any[]} */
export function normalizeHistoryMediaEntries({ media, messageId, limit = MEDIA_LIMIT }) {
  const rows = new Map();
  for (const item of media ?? []) {
    const file = item.path?.trim();
    const isImage = item.kind === 'image' || item.contentType?.trim().toLowerCase().startsWith('image/');
    if (!isImage || !file || !isLocal(file)) continue;
    const id = item.messageId ?? messageId;
    const key = `${id ?? ''}\0${file}`;
    if (!rows.has(key)) rows.set(key, { path: file, contentType: item.contentType, kind: 'image', messageId: id });
  }
  return [...rows.values()].slice(0, Math.max(0, limit));
}

/** Adds an entry with its media, which may still be on their way. */
async function recordWithMedia(map, params) {
  const { historyKey, limit, entry, mediaLimit, shouldRecord = () => true } = params;
  if (!entry || limit <= 0 || !shouldRecord()) return [];
  const messageId = params.messageId ?? entry.messageId;
  if (typeof params.media !== 'function') {
    const media = normalizeHistoryMediaEntries({ media: params.media, messageId, limit: mediaLimit });
    return append(map, historyKey, limit, media.length > 0 ? { ...entry, media } : entry);
  }
  const list = append(map, historyKey, limit, entry);
  const media = normalizeHistoryMediaEntries({ media: await params.media(), messageId, limit: mediaLimit });
  const index = shouldRecord() && media.length > 0 ? (map.get(historyKey)?.indexOf(entry) ?? -1) : -1;
  if (index >= 0) map.get(historyKey)[index] = { ...entry, media };
  return list;
}

/** Adds an entry. @param {{historyMap: Map<string, any[]>, historyKey: string, entry?: any, limit: number}} params @returns {any[]} */
export const recordPendingHistoryEntry = ({ historyMap, historyKey, entry, limit }) => append(historyMap, historyKey, limit, entry);
/** The same; without an entry or a limit nothing is kept. @param {any} params @returns {any[]} */
export const recordPendingHistoryEntryIfEnabled = (params) => recordPendingHistoryEntry(params);
/** Adds an entry with its media. @param {any} params @returns {Promise<any[]>} */
export const recordPendingHistoryEntryWithMedia = async ({ historyMap, ...params }) => recordWithMedia(historyMap, params);

/** Forgets a conversation's entries. @param {{historyMap: Map<string, any[]>, historyKey: string}} params @returns {void} */
export const clearHistoryEntries = ({ historyMap, historyKey }) => void historyMap.set(historyKey, []);
/** The same where entries are kept at all. @param {any} params @returns {void} */
export const clearHistoryEntriesIfEnabled = ({ limit, ...params }) => void (limit > 0 && clearHistoryEntries(params));

/** A message with the texts before it. @param {{historyText: string, currentMessage: string, lineBreak?: string}} params @returns {string} */
export const buildHistoryContext = ({ historyText, currentMessage, lineBreak = '\n' }) =>
  historyText.trim() ? [HISTORY_CONTEXT_MARKER, historyText, '', CURRENT_MESSAGE_MARKER, currentMessage].join(lineBreak) : currentMessage;
/** The same from entries; the last one is the message itself unless `excludeLast` is false. @param {any} params @returns {string} */
export function buildHistoryContextFromEntries({ entries, currentMessage, formatEntry, lineBreak = '\n', excludeLast }) {
  const before = excludeLast === false ? entries : entries.slice(0, -1);
  return before.length > 0 ? buildHistoryContext({ historyText: before.map((entry) => formatEntry(entry)).join(lineBreak), currentMessage, lineBreak }) : currentMessage;
}
/** The same from a map, after adding an entry. @param {any} params @returns {string} */
export function buildHistoryContextFromMap({ historyMap, historyKey, limit, entry, ...params }) {
  if (limit <= 0) return params.currentMessage;
  const entries = entry ? append(historyMap, historyKey, limit, entry) : (historyMap.get(historyKey) ?? []);
  return buildHistoryContextFromEntries({ ...params, entries });
}
/** A message with all that is kept of its conversation. @param {any} params @returns {string} */
export const buildPendingHistoryContextFromMap = ({ entry: _none, ...params }) => buildHistoryContextFromMap({ ...params, excludeLast: false });

/** The last entries as the agent gets them. @param {{entries: any[], limit: number}} params @returns {any[]|undefined} */
export function buildInboundHistoryFromEntries({ entries, limit }) {
  if (limit <= 0) return undefined;
  return entries.slice(-limit).map(({ sender, body, timestamp, messageId, media }) => ({
    sender, body, timestamp, ...(messageId ? { messageId } : {}), ...(media?.length ? { media } : {}),
  }));
}
/** The same from a map. @param {any} params @returns {any[]|undefined} */
export const buildInboundHistoryFromMap = ({ historyMap, historyKey, limit }) => buildInboundHistoryFromEntries({ entries: historyMap.get(historyKey) ?? [], limit });

/** Operations on one map of histories by conversation. */
export function createChannelHistoryWindow({ historyMap }) {
  return {
    record: (params) => recordPendingHistoryEntry({ ...params, historyMap }),
    recordWithMedia: (params) => recordWithMedia(historyMap, params),
    buildPendingContext: (params) => buildPendingHistoryContextFromMap({ ...params, historyMap }),
    buildInboundHistory: (params) => buildInboundHistoryFromMap({ ...params, historyMap }),
    clear: (params) => clearHistoryEntriesIfEnabled({ ...params, historyMap }),
  };
}
