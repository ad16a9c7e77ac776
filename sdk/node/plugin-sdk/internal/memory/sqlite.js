// The database of an index.
import { createRequire } from 'node:module';
import { formatErrorMessage } from '../error-text.js';
import { normalizeOptionalString } from '../strings.js';

const require = createRequire(import.meta.url);

/** Node's own SQLite; without it an error. */
export function requireNodeSqlite() {
  try {
    return require('node:sqlite');
  } catch (cause) {
    throw new Error(`SQLite support is unavailable in this Node runtime (missing node:sqlite). ${formatErrorMessage(cause)}`, { cause });
  }
}

const maintained = new WeakMap();
const whole = (value, name) => {
  if (!Number.isFinite(value) || value < 0) throw new Error(`${name} must be a non-negative integer`);
  return Math.floor(value);
};
/** Keeps the journal of a database small while it is open. @param {object} db @param {{ autoCheckpointPages?: number, checkpointIntervalMs?: number, checkpointMode?: string, onCheckpointError?: (error: unknown) => void }} [options] */
export function configureMemorySqliteWalMaintenance(db, { autoCheckpointPages = 1000, checkpointIntervalMs = 1_800_000, checkpointMode = 'TRUNCATE', onCheckpointError } = {}) {
  if (maintained.has(db)) return maintained.get(db);
  const [pages, interval] = [whole(autoCheckpointPages, 'autoCheckpointPages'), whole(checkpointIntervalMs, 'checkpointIntervalMs')];
  db.exec('PRAGMA journal_mode = WAL');
  db.exec(`PRAGMA wal_autocheckpoint = ${pages}`);
  const checkpoint = () => {
    try {
      db.exec(`PRAGMA wal_checkpoint(${checkpointMode})`);
      return true;
    } catch (error) {
      onCheckpointError?.(error);
      return false;
    }
  };
  const timer = interval > 0 ? setInterval(checkpoint, interval) : undefined;
  timer?.unref?.();
  const close = () => {
    clearInterval(timer);
    return checkpoint();
  };
  maintained.set(db, { checkpoint, close });
  return maintained.get(db);
}
/** Ends that. @param {object} db @returns {boolean} */
export function closeMemorySqliteWalMaintenance(db) {
  const own = maintained.get(db);
  maintained.delete(db);
  return own ? own.close() : true;
}

const TABLES = {
  meta: 'key TEXT PRIMARY KEY, value TEXT NOT NULL',
  files: "path TEXT PRIMARY KEY, source TEXT NOT NULL DEFAULT 'memory', hash TEXT NOT NULL, mtime INTEGER NOT NULL, size INTEGER NOT NULL",
  chunks: "id TEXT PRIMARY KEY, path TEXT NOT NULL, source TEXT NOT NULL DEFAULT 'memory', start_line INTEGER NOT NULL, end_line INTEGER NOT NULL, hash TEXT NOT NULL, model TEXT NOT NULL, text TEXT NOT NULL, embedding TEXT NOT NULL, updated_at INTEGER NOT NULL",
};
const CACHE = 'provider TEXT NOT NULL, model TEXT NOT NULL, provider_key TEXT NOT NULL, hash TEXT NOT NULL, embedding TEXT NOT NULL, dims INTEGER, updated_at INTEGER NOT NULL, PRIMARY KEY (provider, model, provider_key, hash)';
const SEARCHED = 'text, id UNINDEXED, path UNINDEXED, source UNINDEXED, model UNINDEXED, start_line UNINDEXED, end_line UNINDEXED';

/** Makes the tables of an index; whether full-text search is there. @param {{ db: object, embeddingCacheTable: string, cacheEnabled: boolean, ftsTable: string, ftsEnabled: boolean, ftsTokenizer?: string }} params @returns {{ ftsAvailable: boolean, ftsError?: string }} */
export function ensureMemoryIndexSchema({ db, embeddingCacheTable: cache, cacheEnabled, ftsTable, ftsEnabled, ftsTokenizer }) {
  for (const [name, columns] of Object.entries(TABLES)) db.exec(`CREATE TABLE IF NOT EXISTS ${name} (${columns})`);
  if (cacheEnabled) {
    db.exec(`CREATE TABLE IF NOT EXISTS ${cache} (${CACHE})`);
    db.exec(`CREATE INDEX IF NOT EXISTS idx_embedding_cache_updated_at ON ${cache}(updated_at)`);
  }
  const result = { ftsAvailable: false };
  try {
    if (ftsEnabled) db.exec(`CREATE VIRTUAL TABLE IF NOT EXISTS ${ftsTable} USING fts5(${SEARCHED}${ftsTokenizer === 'trigram' ? ", tokenize='trigram case_sensitive 0'" : ''})`);
    result.ftsAvailable = Boolean(ftsEnabled);
  } catch (error) {
    result.ftsError = formatErrorMessage(error);
  }
  for (const table of ['files', 'chunks']) {
    const known = db.prepare(`PRAGMA table_info(${table})`).all().some((row) => row.name === 'source');
    if (!known) db.exec(`ALTER TABLE ${table} ADD COLUMN source TEXT NOT NULL DEFAULT 'memory'`);
  }
  for (const column of ['path', 'source']) db.exec(`CREATE INDEX IF NOT EXISTS idx_chunks_${column} ON chunks(${column})`);
  return result;
}

/** Loads the extension for vectors: the given file, else that of the package `sqlite-vec` beside the program that runs. @param {{ db: object, extensionPath?: string }} params @returns {Promise<{ ok: boolean, extensionPath?: string, error?: string }>} */
export async function loadSqliteVecExtension({ db, extensionPath }) {
  const given = normalizeOptionalString(extensionPath);
  try {
    db.enableLoadExtension(true);
    if (given) {
      db.loadExtension(given);
      return { ok: true, extensionPath: given };
    }
    const vec = await import('sqlite-vec');
    vec.load(db);
    return { ok: true, extensionPath: vec.getLoadablePath() };
  } catch (error) {
    const absent = !given && /Cannot find (?:package|module) ['"]sqlite-vec['"]/.test(error?.message ?? '');
    return { ok: false, error: absent ? '`sqlite-vec` is not installed; set `memorySearch.store.vector.extensionPath` to the extension' : formatErrorMessage(error) };
  }
}
