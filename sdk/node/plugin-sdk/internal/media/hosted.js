// Media that a channel's platform fetches from the gateway: kept in pieces in keyed stores, behind a secret address.
import { randomBytes } from 'node:crypto';
import { loadOutboundMediaFromUrl } from './payload.js';

const PIECE_BYTES = 36 * 1024;
const MAX_ENTRIES = 64;
const ROWS_PER_ENTRY = 512;
/** The description outlives the pieces a little, so that they can be cleared away. */
const GRACE_MS = 60_000;

const metaKey = (id) => `media:${id}:meta`;
const pieceKey = (id, index) => `media:${id}:chunk:${String(index).padStart(4, '0')}`;
const valid = (expiresAt, nowMs) => Number.isSafeInteger(expiresAt) && expiresAt > nowMs;
function positive(value, name) {
  if (!Number.isSafeInteger(value) || value < 1) throw new Error(`\`${name}\` of the hosted media must be a whole number above zero, not ${value}`);
  return value;
}

/** @param {any} options `metadataStore`, `chunkStore`, `ttlMs`, `resolveExpiresAtMs`, `rawChunkBytes`, `maxEntries`, `maxChunkRows`, `createId`, `createToken` */
export function createHostedOutboundMediaStore({ metadataStore, chunkStore, ttlMs, resolveExpiresAtMs, ...options }) {
  const pieceBytes = options.rawChunkBytes ?? PIECE_BYTES;
  const maxEntries = positive(options.maxEntries ?? MAX_ENTRIES, 'maxEntries');
  const maxRows = positive(options.maxChunkRows ?? maxEntries * (options.chunkRowsPerEntryBudget ?? ROWS_PER_ENTRY), 'maxChunkRows');
  const createId = options.createId ?? (() => randomBytes(12).toString('hex'));
  const createToken = options.createToken ?? (() => randomBytes(24).toString('hex'));

  async function remove(id, knownPieces = 0) {
    const meta = await metadataStore.lookup(metaKey(id));
    await metadataStore.delete(metaKey(id));
    const count = meta?.chunkCount ?? knownPieces;
    for (let index = 0; index < count; index += 1) await chunkStore.delete(pieceKey(id, index));
  }
  async function cleanupExpired(nowMs = Date.now()) {
    for (const { value } of await metadataStore.entries()) if (!valid(value.expiresAt, nowMs)) await remove(value.id);
  }
  /** Removes the oldest until one more with `incoming` pieces fits. */
  async function makeRoom(incoming) {
    const rows = await metadataStore.entries();
    const sound = ({ value }) => Number.isSafeInteger(value.chunkCount) && value.chunkCount > 0;
    for (const row of rows) if (!sound(row)) await remove(row.value.id);
    const kept = rows.filter(sound).toSorted((a, b) => a.createdAt - b.createdAt || a.key.localeCompare(b.key));
    let pieces = kept.reduce((total, { value }) => total + value.chunkCount, 0);
    while (kept.length > 0 && (kept.length >= maxEntries || pieces + incoming > maxRows)) {
      const { value } = kept.shift();
      await remove(value.id);
      pieces -= value.chunkCount;
    }
  }
  async function keep(id, meta, buffer) {
    for (let index = 0; index < meta.chunkCount; index += 1) {
      const piece = buffer.subarray(index * pieceBytes, (index + 1) * pieceBytes);
      await chunkStore.register(pieceKey(id, index), { id, index, dataBase64: piece.toString('base64') }, { ttlMs });
    }
    await metadataStore.register(metaKey(id), meta, { ttlMs: ttlMs + Math.min(ttlMs, GRACE_MS) });
  }

  return {
    /** Keeps the media of an address; where the platform finds them. */
    async prepareUrl({ mediaUrl, maxBytes, proxyUrl, routePath, publicBaseUrl }) {
      await cleanupExpired();
      const expiresAt = resolveExpiresAtMs(ttlMs);
      if (expiresAt === undefined) throw new Error('when the hosted media end is unknown: `resolveExpiresAtMs` gave nothing');
      const { buffer, contentType } = await loadOutboundMediaFromUrl(mediaUrl, { maxBytes, ...(proxyUrl ? { proxyUrl } : {}) });
      const chunkCount = Math.max(1, Math.ceil(buffer.byteLength / pieceBytes));
      if (chunkCount > maxRows) throw new Error(`the media need ${chunkCount} pieces, and the store of hosted media holds ${maxRows}`);
      const [id, token] = [createId(), createToken()];
      await makeRoom(chunkCount);
      try {
        await keep(id, { id, routePath, token, ...(contentType ? { contentType } : {}), expiresAt, chunkCount, byteLength: buffer.byteLength }, buffer);
      } catch (error) {
        await remove(id, chunkCount);
        throw error;
      }
      return `${publicBaseUrl}${routePath}${id}?token=${token}`;
    },
    /** The media; `null` when they are gone or not whole. */
    async read(id, nowMs = Date.now()) {
      const meta = await metadataStore.lookup(metaKey(id));
      if (!meta) return null;
      const pieces = [];
      let whole = valid(meta.expiresAt, nowMs);
      for (let index = 0; whole && index < meta.chunkCount; index += 1) {
        const piece = await chunkStore.lookup(pieceKey(id, index));
        whole = piece?.id === id && piece.index === index;
        if (whole) pieces.push(Buffer.from(piece.dataBase64, 'base64'));
      }
      if (!whole) {
        await remove(id);
        return null;
      }
      const { id: _id, chunkCount: _pieces, ...metadata } = meta;
      return { metadata, buffer: Buffer.concat(pieces, meta.byteLength) };
    },
    delete: (id) => remove(id),
    cleanupExpired,
    clear: async () => void (await Promise.all([metadataStore.clear(), chunkStore.clear()])),
  };
}
