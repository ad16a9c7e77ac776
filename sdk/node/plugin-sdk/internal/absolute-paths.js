// Absolute paths: which exist, where they lead, what lies below them.
import fs from 'node:fs';
import path from 'node:path';
import { FsSafeError, isPathInside, isNotFoundPathError } from './safe-files.js';
import { safeFileURLToPath } from './safe-root.js';

/** @param {string} filePath @returns {string} throws for relative paths */
export function assertAbsolutePathInput(filePath) {
  const wrong = !filePath ? 'path is required' : filePath.includes('\0') ? 'path must not contain NUL bytes' : path.isAbsolute(filePath) ? undefined : 'path must be absolute';
  if (wrong) throw new FsSafeError('invalid-path', wrong);
  return path.normalize(filePath);
}
/** The nearest directory or file above a path that exists. @param {string} filePath @returns {Promise<string | null>} */
export async function findExistingAncestor(filePath) {
  let at = path.resolve(filePath);
  for (;;) {
    const found = await fs.promises.lstat(at).then(() => true, (error) => {
      if (isNotFoundPathError(error)) return false;
      throw error;
    });
    if (found) return at;
    if (path.dirname(at) === at) return null;
    at = path.dirname(at);
  }
}
/** A path without links, as far as it exists. @param {string} filePath @returns {Promise<string>} */
export async function canonicalPathFromExistingAncestor(filePath) {
  const ancestor = await findExistingAncestor(filePath);
  if (!ancestor) return path.resolve(filePath);
  const real = await fs.promises.realpath(ancestor).catch(() => ancestor);
  return path.join(real, path.relative(ancestor, path.resolve(filePath)));
}
const crossed = (canonicalPath) => new FsSafeError('symlink', 'path traverses a symlink', { cause: { canonicalPath } });
/** A path to read. @param {string} filePath @param {{symlinks?: 'reject' | 'follow'}} [options] @returns {Promise<{path: string, canonicalPath: string}>} throws for links unless they may be followed */
export async function resolveAbsolutePathForRead(filePath, { symlinks = 'reject' } = {}) {
  const normal = assertAbsolutePathInput(filePath);
  const canonicalPath = await fs.promises.realpath(normal).catch((error) => {
    throw error.code === 'ENOENT' ? new FsSafeError('not-found', 'path not found', { cause: error }) : error;
  });
  if (symlinks === 'reject' && canonicalPath !== normal) throw crossed(canonicalPath);
  return { path: normal, canonicalPath };
}
/** A path to write. @param {string} filePath @param {{symlinks?: 'reject' | 'follow'}} [options] @returns {Promise<{path: string, canonicalPath: string, parentDir: string, parentExists: boolean}>} */
export async function resolveAbsolutePathForWrite(filePath, { symlinks = 'reject' } = {}) {
  const normal = assertAbsolutePathInput(filePath);
  const parentDir = path.dirname(normal);
  const parentExists = fs.existsSync(parentDir);
  const ancestor = symlinks === 'reject' ? await findExistingAncestor(parentDir) : null;
  const real = ancestor && (await fs.promises.realpath(ancestor).catch(() => ancestor));
  if (ancestor && real !== ancestor) throw crossed(path.join(real, path.relative(ancestor, normal)));
  return { path: normal, canonicalPath: await canonicalPathFromExistingAncestor(normal), parentDir, parentExists };
}
/** Makes a directory; none of its parents may be a link or a file. @param {string} dirPath @param {{scopeLabel?: string, mode?: number}} [options] @returns {Promise<{ok: true, path: string} | {ok: false, error: Error}>} */
export async function ensureAbsoluteDirectory(dirPath, { scopeLabel = 'directory', mode } = {}) {
  const target = path.resolve(dirPath);
  const refused = { ok: false, error: new Error(`Invalid path: must stay within ${scopeLabel}`) };
  const ancestor = await findExistingAncestor(target);
  const stat = ancestor && (await fs.promises.lstat(ancestor));
  if (!stat || stat.isSymbolicLink() || !stat.isDirectory()) return refused;
  await fs.promises.mkdir(target, { recursive: true, ...(mode === undefined ? {} : { mode }) });
  return { ok: true, path: target };
}

const local = (value) => (/^file:/i.test(value) ? safeFileURLToPath(value) : value);
function real(file) {
  try {
    return { place: fs.realpathSync(file), stat: fs.statSync(file) };
  } catch {
    const parent = path.dirname(file);
    return parent === file ? { place: file } : { place: path.join(real(parent).place, path.basename(file)) };
  }
}
/** A path that lies below one of the roots, links followed; `null` for another. @param {{filePath: string, roots: string[], allowMissing?: boolean, requireFile?: boolean}} options @returns {{path: string, root: string} | null} */
export function resolveLocalPathFromRootsSync({ filePath, roots, allowMissing, requireFile }) {
  const { place, stat } = real(path.resolve(local(filePath)));
  if ((!stat && allowMissing !== true) || (stat && requireFile === true && !stat.isFile())) return null;
  for (const entry of roots) {
    const root = fs.existsSync(local(entry)) ? fs.realpathSync(local(entry)) : undefined;
    if (root && isPathInside(root, place)) return { path: place, root };
  }
  return null;
}

/** On Windows: a share of another machine. @param {string} filePath @param {string} [platform] @returns {boolean} */
export const isWindowsNetworkPath = (filePath, platform = process.platform) => platform === 'win32' && filePath.replaceAll('/', '\\').startsWith('\\\\');
/** @param {string} filePath @param {string} [label] @returns {void} */
export function assertNoWindowsNetworkPath(filePath, label = 'Path') {
  if (isWindowsNetworkPath(filePath)) throw new Error(`${label} cannot use Windows network paths: ${filePath}`);
}
/** Whether a `file:` address hides a separator. @param {string} pathname @returns {boolean} */
export const hasEncodedFileUrlSeparator = (pathname) => /%(?:2f|5c)/i.test(pathname);
/** @param {string} fileUrl @returns {string | undefined} */
export function trySafeFileURLToPath(fileUrl) {
  try {
    return safeFileURLToPath(fileUrl);
  } catch {
    return undefined;
  }
}

const KINDS = [['isFile', 'file'], ['isDirectory', 'directory'], ['isSymbolicLink', 'symlink']];
const kindOf = (entry) => KINDS.find(([test]) => entry[test]())?.[1] ?? 'other';
/**
 * What lies below a directory.
 * @param {string} rootDir
 * @param {{maxDepth?: number, maxEntries?: number, symlinks?: 'skip' | 'include' | 'follow', include?: (entry: any) => boolean, descend?: (entry: any) => boolean}} [options]
 * @returns {{entries: {path: string, relativePath: string, name: string, kind: string, depth: number}[], scannedEntryCount: number, truncated: boolean}}
 */
export function walkDirectorySync(rootDir, { maxDepth, maxEntries, symlinks = 'skip', include, descend } = {}) {
  const root = path.resolve(rootDir);
  const result = { entries: [], scannedEntryCount: 0, truncated: false };
  const seen = new Set();
  const read = (dir, run) => {
    try {
      return run(dir);
    } catch {
      return undefined;
    }
  };
  const visit = (dir, depth) => {
    if (maxDepth !== undefined && depth > maxDepth) return;
    const place = read(dir, fs.realpathSync);
    if (!place || seen.has(place)) return;
    seen.add(place);
    for (const item of read(dir, (one) => fs.readdirSync(one, { withFileTypes: true })) ?? []) {
      if (maxEntries !== undefined && result.scannedEntryCount >= maxEntries) {
        result.truncated = true;
        return;
      }
      result.scannedEntryCount++;
      const file = path.join(dir, item.name);
      let kind = kindOf(item);
      if (kind === 'symlink' && symlinks === 'skip') continue;
      if (kind === 'symlink' && symlinks === 'follow') {
        const stat = read(file, fs.statSync);
        if (!stat) continue;
        kind = kindOf(stat);
      }
      const entry = { path: file, relativePath: path.relative(root, file), name: item.name, kind, dirent: item, depth };
      if (!include || include(entry)) result.entries.push(entry);
      if (kind === 'directory' && (!descend || descend(entry))) visit(file, depth + 1);
    }
  };
  visit(root, 1);
  return result;
}
/** The same with a promise. @param {string} rootDir @param {object} [options] */
export const walkDirectory = async (rootDir, options) => walkDirectorySync(rootDir, options);
