// The messages of a conversation that nobody has answered yet.

const MAX_KEYS = 1000;
const HISTORY_MARKER = '[Chat messages since your last reply - for context]';
const CURRENT_MARKER = '[Current message - respond to this]';
const IMAGE = /\.(?:png|jpe?g|gif|webp|heic|heif|bmp|tiff?|avif)$/i;

function append(map, key, limit, entry) {
  if (!entry || limit <= 0) return [];
  const list = map.get(key) ?? [];
  list.push(entry);
  if (list.length > limit) list.splice(0, list.length - limit);
  map.delete(key);
  map.set(key, list);
  for (const other of map.keys()) {
    if (map.size <= MAX_KEYS) break;
    map.delete(other);
  }
  return list;
}

function usableMedia(media, messageId, limit = 4) {
  const rows = new Map();
  for (const item of media ?? []) {
    const file = item.path?.trim();
    const isImage = item.kind ? item.kind === 'image' : item.contentType ? item.contentType.startsWith('image/') : IMAGE.test(file ?? '');
    if (!isImage || !file || /^[a-z][a-z0-9+.-]*:\/\//i.test(file)) continue;
    const id = item.messageId ?? messageId;
    const key = `${id ?? ''}\0${file}`;
    if (!rows.has(key)) rows.set(key, { path: file, contentType: item.contentType, kind: 'image', messageId: id });
  }
  return [...rows.values()].slice(0, Math.max(0, limit));
}

async function recordWithMedia(map, params) {
  const { historyKey, limit, entry, mediaLimit, shouldRecord = () => true } = params;
  if (!entry || limit <= 0 || !shouldRecord()) return [];
  const messageId = params.messageId ?? entry.messageId;
  if (typeof params.media !== 'function') {
    const media = usableMedia(params.media, messageId, mediaLimit);
    return append(map, historyKey, limit, media.length > 0 ? { ...entry, media } : entry);
  }
  const list = append(map, historyKey, limit, entry);
  const media = usableMedia(await params.media(), messageId, mediaLimit);
  const index = shouldRecord() && media.length > 0 ? (map.get(historyKey)?.indexOf(entry) ?? -1) : -1;
  if (index >= 0) map.get(historyKey)[index] = { ...entry, media };
  return list;
}

/** Operations on one map of histories by conversation. */
export function createChannelHistoryWindow({ historyMap }) {
  return {
    record: ({ historyKey, limit, entry }) => append(historyMap, historyKey, limit, entry),
    recordWithMedia: (params) => recordWithMedia(historyMap, params),
    buildPendingContext({ historyKey, limit, currentMessage, formatEntry, lineBreak = '\n' }) {
      const entries = limit > 0 ? (historyMap.get(historyKey) ?? []) : [];
      const text = entries.map(formatEntry).join(lineBreak);
      return text.trim() ? [HISTORY_MARKER, text, '', CURRENT_MARKER, currentMessage].join(lineBreak) : currentMessage;
    },
    buildInboundHistory({ historyKey, limit }) {
      if (limit <= 0) return undefined;
      return (historyMap.get(historyKey) ?? []).slice(-limit).map(({ sender, body, timestamp, messageId, media }) => ({
        sender, body, timestamp, ...(messageId ? { messageId } : {}), ...(media?.length ? { media } : {}),
      }));
    },
    clear: ({ historyKey, limit }) => void (limit > 0 && historyMap.set(historyKey, [])),
  };
}
