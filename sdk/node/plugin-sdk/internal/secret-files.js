// Files that hold a secret.
import fs from 'node:fs';
import path from 'node:path';
import { resolveUserPath } from './paths.js';
import { FsSafeError, isPathInside, replaceFileAtomic } from './safe-files.js';

/** The largest secret that is read, in bytes. */
export const DEFAULT_SECRET_FILE_MAX_BYTES = 16 * 1024;
/** Mode of a directory with secrets. */
export const PRIVATE_SECRET_DIR_MODE = 0o700;
/** Mode of a file with a secret. */
export const PRIVATE_SECRET_FILE_MODE = 0o600;

/**
 * Reads a secret from a file; spaces around it do not count.
 * @param {string} filePath
 * @param {string} label what messages call it
 * @param {{maxBytes?: number, rejectSymlink?: boolean}} [options]
 * @returns {string} throws `FsSafeError`
 */
export function readSecretFileSync(filePath, label, { maxBytes = DEFAULT_SECRET_FILE_MAX_BYTES, rejectSymlink = false } = {}) {
  const file = resolveUserPath(filePath.trim());
  if (!file) throw new FsSafeError('invalid-path', `${label} file path is empty.`);
  const fail = (code, rest, cause) => new FsSafeError(code, `${label} file at ${file} ${rest}`, { cause });
  let fd;
  try {
    const link = fs.lstatSync(file);
    if (rejectSymlink && link.isSymbolicLink()) throw fail('symlink', 'must not be a symlink.');
    const stat = fs.statSync(file);
    if (!stat.isFile()) throw fail('not-file', 'must be a regular file.');
    if (stat.size > maxBytes) throw fail('too-large', `exceeds ${maxBytes} bytes.`);
    fd = fs.openSync(file, fs.constants.O_RDONLY | (rejectSymlink ? fs.constants.O_NOFOLLOW : 0));
    const opened = fs.fstatSync(fd);
    if (opened.ino !== stat.ino || opened.dev !== stat.dev) throw fail('path-mismatch', 'changed while it was read.');
    const secret = fs.readFileSync(fd, 'utf8').trim();
    if (!secret) throw fail('invalid-path', 'is empty.');
    return secret;
  } catch (error) {
    if (error instanceof FsSafeError) throw error;
    const missing = error.code === 'ENOENT';
    throw new FsSafeError(missing ? 'not-found' : 'invalid-path', `Failed to ${fd === undefined ? 'inspect' : 'read'} ${label} file at ${file}: ${String(error)}`, { cause: error });
  } finally {
    if (fd !== undefined) fs.closeSync(fd);
  }
}

/**
 * The same without an error.
 * @param {string | undefined} filePath
 * @param {string} label
 * @param {object} [options] of `readSecretFileSync`
 * @returns {string | undefined}
 */
export function tryReadSecretFileSync(filePath, label, options) {
  if (!filePath?.trim()) return undefined;
  try {
    return readSecretFileSync(filePath, label, options);
  } catch {
    return undefined;
  }
}

/**
 * The same with the reason.
 * @param {string} filePath
 * @param {string} label
 * @param {object} [options] of `readSecretFileSync`
 * @returns {{ok: true, secret: string, resolvedPath: string} | {ok: false, message: string, resolvedPath?: string, error?: unknown}}
 */
export function loadSecretFileSync(filePath, label, options) {
  const resolvedPath = resolveUserPath(filePath.trim());
  if (!resolvedPath) return { ok: false, message: `${label} file path is empty.` };
  try {
    return { ok: true, secret: readSecretFileSync(filePath, label, options), resolvedPath };
  } catch (error) {
    return { ok: false, message: error.message, resolvedPath, error };
  }
}

/**
 * Writes a secret below a directory that only this user can read.
 * @param {{rootDir: string, filePath: string, content: string | Uint8Array, mode?: number, dirMode?: number}} params
 * @returns {Promise<void>}
 */
export async function writePrivateSecretFileAtomic({ rootDir, filePath, content, mode = PRIVATE_SECRET_FILE_MODE, dirMode = PRIVATE_SECRET_DIR_MODE }) {
  const [root, file] = [path.resolve(rootDir), path.resolve(filePath)];
  if (!isPathInside(root, file) || root === file) throw new Error(`Private secret path must stay under ${root}.`);
  await fs.promises.mkdir(root, { recursive: true, mode: dirMode });
  const rootReal = await fs.promises.realpath(root);
  let directory = root;
  for (const part of ['', ...path.relative(root, path.dirname(file)).split(path.sep)]) {
    directory = path.join(directory, part);
    await fs.promises.mkdir(directory, { mode: dirMode }).catch((error) => {
      if (error.code !== 'EEXIST') throw error;
    });
    const stat = await fs.promises.lstat(directory);
    if ((stat.isSymbolicLink() && directory !== root) || (!stat.isDirectory() && directory !== root)) throw new Error(`Private secret directory ${directory} must be a directory and no symlink.`);
    await fs.promises.chmod(directory, dirMode);
  }
  const parent = await fs.promises.realpath(path.dirname(file));
  if (!isPathInside(rootReal, parent)) throw new Error(`Private secret path must stay under ${root}.`);
  const target = path.join(parent, path.basename(file));
  const existing = fs.lstatSync(target, { throwIfNoEntry: false });
  if (existing?.isSymbolicLink()) throw new Error(`Private secret file ${target} must not be a symlink.`);
  if (existing && !existing.isFile()) throw new Error(`Private secret file ${target} must be a regular file.`);
  await replaceFileAtomic({ filePath: target, content, mode, dirMode });
}
