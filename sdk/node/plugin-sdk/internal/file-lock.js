// Locks between processes: a file beside the locked one.
import fs from 'node:fs/promises';
import path from 'node:path';

/** Code of an error when a lock was not free in time. */
export const FILE_LOCK_TIMEOUT_ERROR_CODE = 'file_lock_timeout';
/** Code of an error about a lock whose owner is gone. */
export const FILE_LOCK_STALE_ERROR_CODE = 'file_lock_stale';

const held = new Map();

function alive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

/** `free` when it is gone meanwhile: then it must not be removed, since another may have taken it since. */
async function stateOf(lock, staleMs) {
  try {
    const { pid } = JSON.parse(await fs.readFile(lock, 'utf8'));
    if (Number.isInteger(pid) && !alive(pid)) return 'stale';
  } catch (error) {
    if (error.code === 'ENOENT') return 'free';
  }
  const stat = await fs.stat(lock).catch(() => null);
  if (stat === null) return 'free';
  return Date.now() - stat.mtimeMs > staleMs ? 'stale' : 'held';
}

/** Takes a lock; one process may take the same lock several times. Throws with code `file_lock_timeout`. */
export async function acquireFileLock(file, { stale = 60_000, retries = {} } = {}) {
  const { retries: attempts = 10, factor = 1.5, minTimeout = 25, maxTimeout = 1000, randomize = false } = retries;
  const lock = `${path.resolve(file)}.lock`;
  const own = held.get(lock);
  if (own) {
    own.count++;
    return { lockPath: lock, release: () => release(lock) };
  }
  await fs.mkdir(path.dirname(lock), { recursive: true });
  for (let attempt = 0; attempt <= attempts; attempt++) {
    try {
      await fs.writeFile(lock, JSON.stringify({ pid: process.pid, createdAt: new Date().toISOString() }), { flag: 'wx' });
      held.set(lock, { count: 1 });
      return { lockPath: lock, release: () => release(lock) };
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
    }
    const state = await stateOf(lock, stale);
    if (state === 'stale') await fs.rm(lock, { force: true });
    if (state !== 'held') continue;
    const delay = Math.min(maxTimeout, minTimeout * factor ** attempt) * (randomize ? 1 + Math.random() : 1);
    await new Promise((resolve) => setTimeout(resolve, delay));
  }
  throw Object.assign(new Error(`file lock timeout for ${file}`), { code: FILE_LOCK_TIMEOUT_ERROR_CODE, lockPath: lock });
}

async function release(lock) {
  const own = held.get(lock);
  if (!own || --own.count > 0) return;
  held.delete(lock);
  await fs.rm(lock, { force: true });
}

/** Runs something while holding a lock. */
export async function withFileLock(file, options, run) {
  const lock = await acquireFileLock(file, options);
  try {
    return await run();
  } finally {
    await lock.release();
  }
}

/**
 * Releases every lock that this process holds, for tests.
 * @returns {Promise<void>}
 */
export async function drainFileLockStateForTest() {
  const locks = [...held.keys()];
  held.clear();
  await Promise.all(locks.map((lock) => fs.rm(lock, { force: true })));
}

/**
 * Forgets the locks that this process holds, for tests; their files stay.
 * @returns {void}
 */
export const resetFileLockStateForTest = () => held.clear();
