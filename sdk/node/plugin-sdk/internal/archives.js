// Unpacks archives of strangers: into a directory beside the destination, and from there into it when all of it was good.
import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import zlib from 'node:zlib';
import { ArchiveLimitError, Budget, limitsOf, partsOf } from './archives/limits.js';
import { tarEntries } from './archives/tar.js';
import { zipEntries } from './archives/zip.js';

const TAR = /\.(?:tar|tgz|tar\.gz)$/i;
const GZIP = [0x1f, 0x8b];

function kindOf(file) {
  if (/\.zip$/i.test(file.trim())) return 'zip';
  return TAR.test(file.trim()) ? 'tar' : undefined;
}

/** Writes one entry below `root`. */
async function write(root, entry, parts, budget, signal) {
  const target = path.join(root, ...parts);
  if (entry.directory) {
    await fs.mkdir(target, { recursive: true });
    for await (const _ of entry.data) signal.throwIfAborted();
    return;
  }
  await fs.mkdir(path.dirname(target), { recursive: true });
  // A name that comes twice is refused: nothing is written through what is there.
  const file = await fs.open(target, 'wx', entry.mode & 0o111 ? 0o755 : 0o644);
  try {
    let sum = 0;
    for await (const part of entry.data) {
      signal.throwIfAborted();
      sum += part.length;
      budget.bytes(part.length, sum);
      await file.write(part);
    }
  } finally {
    await file.close();
  }
}

async function* entriesOf(kind, file, size, gzip) {
  if (kind === 'zip') return yield* zipEntries(file, size);
  const raw = file.createReadStream({ start: 0, autoClose: false });
  if (!gzip) return yield* tarEntries(raw);
  const plain = zlib.createGunzip();
  raw.on('error', (error) => plain.destroy(error));
  return yield* tarEntries(raw.pipe(plain));
}

/** Moves what is in `from` into `to`: directories are joined, files replaced, and nothing is written through a link. */
async function merge(from, to, signal) {
  for (const entry of await fs.readdir(from, { withFileTypes: true })) {
    signal.throwIfAborted();
    const [source, target] = [path.join(from, entry.name), path.join(to, entry.name)];
    const there = await fs.lstat(target).catch(() => undefined);
    if (there?.isSymbolicLink()) throw new Error(`archive entry would be written through a link: ${target}`);
    if (there?.isDirectory() && entry.isDirectory()) await merge(source, target, signal);
    else await fs.rename(source, target);
  }
}

async function unpack({ archivePath, destDir, kind, stripComponents = 0, tarGzip, limits: wanted }, signal) {
  const limits = limitsOf(wanted);
  const file = await fs.open(archivePath, fs.constants.O_RDONLY | fs.constants.O_NOFOLLOW).catch((error) => {
    throw error.code === 'ELOOP' ? new Error(`archive is not a regular file: ${archivePath}`) : error;
  });
  let stage;
  try {
    const stat = await file.stat();
    if (!stat.isFile()) throw new Error(`archive is not a regular file: ${archivePath}`);
    if (stat.size > limits.maxArchiveBytes) throw new ArchiveLimitError('archive-size-exceeds-limit');
    const first = Buffer.alloc(2);
    await file.read(first, 0, 2, 0);
    const gzip = tarGzip ?? GZIP.every((byte, i) => first[i] === byte);
    await fs.mkdir(destDir, { recursive: true });
    const root = await fs.realpath(destDir);
    stage = await fs.mkdtemp(path.join(path.dirname(root), '.unpack-')).catch(() => fs.mkdtemp(path.join(os.tmpdir(), 'unpack-')));
    const budget = new Budget(limits);
    for await (const entry of entriesOf(kind, file, stat.size, gzip)) {
      signal.throwIfAborted();
      budget.entry(entry.size);
      const parts = partsOf(entry.name, Math.max(0, Math.floor(stripComponents)));
      if (parts) await write(stage, entry, parts, budget, signal);
      else for await (const part of entry.data) budget.bytes(part.length, 0);
    }
    await merge(stage, root, signal);
  } finally {
    await file.close();
    if (stage) await fs.rm(stage, { recursive: true, force: true });
  }
}

/**
 * Unpacks a zip or tar file, gzipped or not, into a directory. Links, names that lead out of it and everything beyond the limits are
 * refused, and then nothing is there.
 * @param {{archivePath: string, destDir: string, timeoutMs: number, kind?: 'zip'|'tar', stripComponents?: number, tarGzip?: boolean,
 *   limits?: {maxArchiveBytes?: number, maxEntries?: number, maxExtractedBytes?: number, maxEntryBytes?: number}}} params
 * @returns {Promise<void>}
 */
export async function extractArchive(params) {
  const kind = params.kind ?? kindOf(params.archivePath);
  if (!kind) throw new Error(`unsupported archive: ${params.archivePath}`);
  const late = new AbortController();
  const end = () => late.abort(new Error(`extract ${kind} timed out after ${params.timeoutMs}ms`));
  const timer = params.timeoutMs > 0 && Number.isFinite(params.timeoutMs) ? setTimeout(end, params.timeoutMs) : undefined;
  try {
    await unpack({ ...params, kind }, late.signal);
  } finally {
    clearTimeout(timer);
  }
}
