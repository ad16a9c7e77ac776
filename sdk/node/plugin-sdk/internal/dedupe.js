// Recognising what was handled before, in memory and on disk.
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { withFileLock } from './file-lock.js';
import { readJsonFileWithFallback, writeJsonFileAtomically } from './json-file.js';
import { resolveStateDir } from './paths.js';
import { resolveGlobalSingleton } from './singletons.js';

/** Drops the oldest entries of a map. */
export function pruneMapToMaxSize(map, maxSize) {
  const limit = Math.max(0, Math.floor(maxSize));
  for (const key of map.keys()) {
    if (map.size <= limit) return;
    map.delete(key);
  }
}

/** A memory of keys that forgets after a time (0: never) and above a size. */
export function createDedupeCache({ ttlMs: rawTtl, maxSize: rawMax }) {
  const ttlMs = Math.max(0, rawTtl);
  const maxSize = Math.max(0, Math.floor(rawMax));
  const seen = new Map();
  const fresh = (key, now) => {
    const at = seen.get(key);
    if (at === undefined) return false;
    if (ttlMs === 0 || now - at < ttlMs) return true;
    seen.delete(key);
    return false;
  };
  const touch = (key, now) => {
    seen.delete(key);
    seen.set(key, now);
  };
  return {
    check(key, now = Date.now()) {
      if (!key) return false;
      const known = fresh(key, now);
      touch(key, now);
      if (known) return true;
      if (ttlMs > 0) for (const [other, at] of seen) if (at < now - ttlMs) seen.delete(other);
      pruneMapToMaxSize(seen, maxSize);
      return false;
    },
    peek: (key, now = Date.now()) => Boolean(key) && fresh(key, now),
    delete: (key) => void (key && seen.delete(key)),
    clear: () => seen.clear(),
    size: () => seen.size,
  };
}

const space = (options) => options?.namespace?.trim() || 'global';

function readStamps(value) {
  if (!value || typeof value !== 'object') return {};
  return Object.fromEntries(Object.entries(value).filter(([, at]) => Number.isFinite(at) && at > 0));
}

/** Entries that are kept where nothing is said. */
const MOST_ENTRIES = 10_000;
const shortHash = (text) => createHash('sha256').update(text).digest('hex').slice(0, 32);
const prefixOf = (prefix = 'persistent-dedupe') => prefix.trim().toLowerCase().replace(/[^a-z0-9._-]+/g, '-').replace(/^[._-]+|[._-]+$/g, '').slice(0, 48) || 'persistent-dedupe';
/** The name of a namespace in the state of a plugin. @param {{namespacePrefix?: string, namespace?: string}} options @returns {string} */
export const resolvePersistentDedupePluginStateNamespace = ({ namespacePrefix, namespace }) => `${prefixOf(namespacePrefix)}.${shortHash(namespace?.trim() || 'global')}`;
/** Where a plugin's keys are kept when it names no file. */
const dedupeFile = ({ pluginId = 'shared', namespacePrefix, env }, namespace) => path.join(resolveStateDir(env), 'dedupe', `${prefixOf(pluginId)}.${resolvePersistentDedupePluginStateNamespace({ namespacePrefix, namespace })}.json`);

/** An entry of an older file as the state holds it. @param {{key: string, seenAt: number, ttlMs?: number}} params */
export const createPersistentDedupeImportEntry = ({ key, seenAt, ttlMs }) => ({ key: `k.${shortHash(key)}`, value: { key, seenAt }, ...(ttlMs == null ? {} : { ttlMs }) });
const seenAtOf = (value) => (Number.isFinite(value?.seenAt) ? value.seenAt : undefined);
/** Whether an entry is newer than the one there is. @param {{existingValue?: any, incomingValue: any}} params @returns {boolean} */
export const shouldReplacePersistentDedupeEntry = ({ existingValue, incomingValue }) => seenAtOf(incomingValue) !== undefined && seenAtOf(incomingValue) > (seenAtOf(existingValue) ?? 0);

async function legacyEntries({ filePath, ttlMs: given, now = Date.now() }) {
  const data = JSON.parse(await fs.promises.readFile(filePath, 'utf8'));
  const rows = data && typeof data === 'object' && !Array.isArray(data) ? Object.entries(data) : [];
  const ttlMs = Math.max(0, Math.floor(given ?? 0));
  const valid = rows.filter(([, at]) => Number.isFinite(at) && at > 0);
  const alive = valid.filter(([, at]) => ttlMs === 0 || ttlMs > now - at);
  const entries = alive.map(([key, seenAt]) => createPersistentDedupeImportEntry({ key, seenAt, ...(ttlMs > 0 ? { ttlMs: Math.max(1, Math.floor(ttlMs - (now - seenAt))) } : {}) }));
  return { entries, skippedExpired: valid.length - alive.length, skippedInvalid: rows.length - valid.length };
}
/** The entries of an older file that still count. @param {{filePath: string, ttlMs?: number, now?: number}} options @returns {Promise<any[]>} */
export const listPersistentDedupeLegacyJsonFileEntries = async (options) => (await legacyEntries(options)).entries;
/** Takes over an older file, and removes it. @param {{filePath: string, ttlMs?: number, namespace?: string, pluginId?: string, namespacePrefix?: string, removeFile?: boolean, now?: number}} options @returns {Promise<{imported: number, skippedExpired: number, skippedInvalid: number, skippedExisting: number, removed: boolean}>} */
export async function migratePersistentDedupeLegacyJsonFile(options) {
  const { entries, skippedExpired, skippedInvalid } = await legacyEntries(options);
  const file = dedupeFile(options, options.namespace);
  let imported = 0;
  await withFileLock(file, { stale: 60_000, retries: { retries: 6, factor: 1.35, minTimeout: 8, maxTimeout: 180 } }, async () => {
    const stamps = readStamps((await readJsonFileWithFallback(file, {})).value);
    for (const { value } of entries) {
      if (stamps[value.key] >= value.seenAt) continue;
      stamps[value.key] = value.seenAt;
      imported++;
    }
    await writeJsonFileAtomically(file, stamps);
  });
  const removed = options.removeFile !== false;
  if (removed) await fs.promises.rm(options.filePath, { force: true });
  return { imported, skippedExpired, skippedInvalid, skippedExisting: entries.length - imported, removed };
}

/** A memory of keys that also survives restarts, one file per namespace. */
export function createPersistentDedupe(options) {
  const ttlMs = Math.max(0, Math.floor(options.ttlMs));
  const maxEntries = Math.max(1, Math.floor(options.fileMaxEntries ?? options.stateMaxEntries ?? MOST_ENTRIES));
  const fileOf = options.resolveFilePath ?? ((namespace) => dedupeFile(options, namespace));
  const lock = {
    stale: options.lockOptions?.stale ?? 60_000,
    retries: { retries: 6, factor: 1.35, minTimeout: 8, maxTimeout: 180, randomize: true, ...options.lockOptions?.retries },
  };
  const memory = createDedupeCache({ ttlMs, maxSize: options.memoryMaxSize });
  const running = new Map();
  const queues = new Map();
  const live = (at, now) => at != null && (ttlMs <= 0 || now - at < ttlMs);

  function inOrder(file, run) {
    const next = (queues.get(file) ?? Promise.resolve()).then(run, run);
    queues.set(file, next);
    const forget = () => queues.get(file) === next && queues.delete(file);
    next.then(forget, forget);
    return next;
  }

  async function record(key, scoped, namespace, now, onDiskError) {
    if (memory.check(scoped, now)) return false;
    const file = fileOf(namespace);
    try {
      return await inOrder(file, () =>
        withFileLock(file, lock, async () => {
          const stamps = readStamps((await readJsonFileWithFallback(file, {})).value);
          if (live(stamps[key], now)) return false;
          stamps[key] = now;
          await writeJsonFileAtomically(file, newest(stamps, now));
          return true;
        }),
      );
    } catch (error) {
      onDiskError?.(error);
      return true;
    }
  }

  function newest(stamps, now) {
    const rows = Object.entries(stamps).filter(([, at]) => live(at, now)).sort((a, b) => b[1] - a[1]);
    const kept = new Set(rows.slice(0, maxEntries).map(([key]) => key));
    return Object.fromEntries(Object.entries(stamps).filter(([key]) => kept.has(key)));
  }

  return {
    async checkAndRecord(rawKey, call) {
      const key = rawKey.trim();
      if (!key) return true;
      const scoped = `${space(call)}:${key}`;
      if (running.has(scoped)) return false;
      const work = record(key, scoped, space(call), call?.now ?? Date.now(), call?.onDiskError ?? options.onDiskError);
      running.set(scoped, work);
      return work.finally(() => running.delete(scoped));
    },
    async hasRecent(rawKey, call) {
      const key = rawKey.trim();
      if (!key) return false;
      const scoped = `${space(call)}:${key}`;
      const now = call?.now ?? Date.now();
      if (memory.peek(scoped, now)) return true;
      try {
        const at = readStamps((await readJsonFileWithFallback(fileOf(space(call)), {})).value)[key];
        if (!live(at, now)) return false;
        memory.check(scoped, at);
        return true;
      } catch (error) {
        (call?.onDiskError ?? options.onDiskError)?.(error);
        return memory.peek(scoped, now);
      }
    },
    async warmup(namespace = 'global', onError) {
      const now = Date.now();
      try {
        const stamps = readStamps((await readJsonFileWithFallback(fileOf(namespace), {})).value);
        const rows = Object.entries(stamps).filter(([, at]) => live(at, now));
        for (const [key, at] of rows) memory.check(`${namespace}:${key}`, at);
        return rows.length;
      } catch (error) {
        onError?.(error);
        return 0;
      }
    },
    clearMemory: () => memory.clear(),
    memorySize: () => memory.size(),
  };
}

/**
 * A cache that exists once in the process, whatever copies of a module there are.
 * @param {symbol} key
 * @param {{ttlMs: number, maxSize: number}} options
 * @returns {ReturnType<typeof createDedupeCache>}
 */
export const resolveGlobalDedupeCache = (key, options) => resolveGlobalSingleton(key, () => createDedupeCache(options));

/** De-duplication in two steps: claim a key, then commit it when the work is done, or release it. */
export function createClaimableDedupe(options) {
  const memory = createDedupeCache({ ttlMs: Math.max(0, Math.floor(options.ttlMs)), maxSize: options.memoryMaxSize });
  const disk = options.resolveFilePath || options.pluginId ? createPersistentDedupe(options) : null;
  const claims = new Map();
  const hasRecent = async (key, call) => {
    const id = key.trim();
    if (!id) return false;
    return disk ? disk.hasRecent(id, call) : memory.peek(`${space(call)}:${id}`, call?.now);
  };
  return {
    async claim(key, call) {
      const id = key.trim();
      if (!id) return { kind: 'claimed' };
      const scoped = `${space(call)}:${id}`;
      if (claims.has(scoped)) return { kind: 'inflight', pending: claims.get(scoped).promise };
      const claim = Promise.withResolvers();
      claim.promise.catch(() => {});
      claims.set(scoped, claim);
      try {
        if (!(await hasRecent(id, call))) return { kind: 'claimed' };
        claim.resolve(false);
      } catch (error) {
        claim.reject(error);
        claims.delete(scoped);
        throw error;
      }
      claims.delete(scoped);
      return { kind: 'duplicate' };
    },
    async commit(key, call) {
      const id = key.trim();
      if (!id) return true;
      const scoped = `${space(call)}:${id}`;
      const claim = claims.get(scoped);
      try {
        const isNew = disk ? await disk.checkAndRecord(id, call) : !memory.check(scoped, call?.now);
        claim?.resolve(isNew);
        return isNew;
      } catch (error) {
        claim?.reject(error);
        throw error;
      } finally {
        claims.delete(scoped);
      }
    },
    release(key, call) {
      const scoped = `${space(call)}:${key.trim()}`;
      claims.get(scoped)?.reject(call?.error ?? new Error(`claim released before commit: ${scoped}`));
      claims.delete(scoped);
    },
    hasRecent,
    warmup: disk?.warmup ?? (async () => 0),
    clearMemory() {
      disk?.clearMemory();
      memory.clear();
    },
    memorySize: () => disk?.memorySize() ?? memory.size(),
  };
}
