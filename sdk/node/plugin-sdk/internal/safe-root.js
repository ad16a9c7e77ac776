// Files below one directory: no path leads out of it, and no link on the way is followed.
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { FsSafeError, isNotFoundPathError, isPathInside, replaceFileAtomic } from './safe-files.js';

const { O_RDONLY, O_WRONLY, O_RDWR, O_CREAT, O_TRUNC, O_APPEND, O_EXCL, O_NOFOLLOW = 0, O_NONBLOCK = 0 } = fs.constants;
/** The largest file that is read unless a call says otherwise: 16 MiB. */
export const DEFAULT_ROOT_MAX_BYTES = 16 * 1024 * 1024;

const outside = () => new FsSafeError('outside-workspace', 'file is outside workspace root');
const notFound = (cause) => new FsSafeError('not-found', 'file not found', { cause });

function relativeOf(input) {
  const text = String(input);
  if (text.includes('\0')) throw new FsSafeError('invalid-path', 'path contains a NUL byte');
  return text === '~' || text.startsWith('~/') ? path.join(os.homedir(), text.slice(1)) : text;
}

/** A directory whose files are read and written. Made by `root`. */
class Root {
  constructor(rootDir, rootReal, defaults) {
    Object.assign(this, { rootDir, rootReal, rootWithSep: rootReal.endsWith(path.sep) ? rootReal : rootReal + path.sep, defaults });
  }

  /** The absolute path, with every directory on the way checked. */
  #locate(input, { symlinks = this.defaults.symlinks ?? 'reject' } = {}) {
    const wanted = relativeOf(input);
    const given = path.isAbsolute(wanted) ? wanted : path.resolve(this.rootReal, wanted);
    const target = isPathInside(this.rootDir, given) && !isPathInside(this.rootReal, given) ? path.join(this.rootReal, path.relative(this.rootDir, given)) : given;
    if (!isPathInside(this.rootReal, target)) throw outside();
    if (symlinks === 'follow-within-root') {
      const real = realOfExisting(target);
      if (!isPathInside(this.rootReal, real)) throw outside();
      return real;
    }
    let current = this.rootReal;
    for (const part of path.relative(this.rootReal, target).split(path.sep).filter(Boolean)) {
      current = path.join(current, part);
      const stat = fs.lstatSync(current, { throwIfNoEntry: false });
      if (!stat) break;
      if (!stat.isSymbolicLink()) continue;
      const real = realOfExisting(current);
      if (!isPathInside(this.rootReal, real)) throw outside();
      throw new FsSafeError('symlink', 'symlink open blocked');
    }
    return target;
  }

  /** Opens and checks that what was opened is what the path names. */
  async #open(target, flags, { hardlinks = this.defaults.hardlinks ?? 'reject', mode } = {}) {
    let handle;
    try {
      handle = await fs.promises.open(target, flags | O_NOFOLLOW | O_NONBLOCK, mode);
    } catch (error) {
      if (isNotFoundPathError(error)) throw notFound(error);
      if (error.code === 'ELOOP') throw new FsSafeError('symlink', 'symlink open blocked', { cause: error });
      if (error.code === 'EISDIR') throw new FsSafeError('not-file', 'not a file', { cause: error });
      if (error.code === 'EEXIST') throw new FsSafeError('already-exists', 'file already exists', { cause: error });
      throw error;
    }
    try {
      const stat = await handle.stat();
      if (!stat.isFile()) throw new FsSafeError('not-file', 'not a file');
      if (hardlinks === 'reject' && stat.nlink > 1) throw new FsSafeError('hardlink', 'hardlinked path not allowed');
      const realPath = await fs.promises.realpath(target);
      const now = await fs.promises.stat(realPath);
      if (now.ino !== stat.ino || now.dev !== stat.dev || !isPathInside(this.rootReal, realPath)) throw new FsSafeError('path-mismatch', 'path changed during read');
      return { handle, realPath, stat, [Symbol.asyncDispose]: () => handle.close() };
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  async #parent(target, mkdir) {
    const directory = path.dirname(target);
    if (mkdir ?? this.defaults.mkdir ?? true) await fs.promises.mkdir(directory, { recursive: true });
    let real;
    try {
      real = await fs.promises.realpath(directory);
    } catch (error) {
      throw notFound(error);
    }
    if (!isPathInside(this.rootReal, real)) throw outside();
  }

  async resolve(relative) {
    return this.#locate(relative);
  }

  async open(relative, options = {}) {
    return this.#open(this.#locate(relative, options), O_RDONLY, options);
  }

  async read(relative, options = {}) {
    const opened = await this.open(relative, options);
    const limit = options.maxBytes ?? this.defaults.maxBytes ?? DEFAULT_ROOT_MAX_BYTES;
    const check = (size) => {
      if (size > limit) throw new FsSafeError('too-large', `file exceeds limit of ${limit} bytes (got ${size})`);
    };
    try {
      check(opened.stat.size);
      const buffer = await opened.handle.readFile();
      check(buffer.length);
      return { buffer, realPath: opened.realPath, stat: opened.stat };
    } finally {
      await opened.handle.close();
    }
  }

  async readBytes(relative, options) {
    return (await this.read(relative, options)).buffer;
  }

  async readText(relative, options) {
    return (await this.readBytes(relative, options)).toString(options?.encoding ?? 'utf8');
  }

  async readJson(relative, options) {
    return JSON.parse(await this.readText(relative, options));
  }

  async readAbsolute(file, options) {
    return this.read(path.resolve(file), options);
  }

  reader(options) {
    return async (file) => (await this.readAbsolute(file, options)).buffer;
  }

  async openWritable(relative, { writeMode = 'replace', mkdir, mode = this.defaults.mode ?? 0o600 } = {}) {
    const target = this.#locate(relative);
    await this.#parent(target, mkdir);
    const created = !fs.existsSync(target);
    // What is cut off must have been checked before.
    const opened = await this.#open(target, (writeMode === 'append' ? O_WRONLY | O_APPEND : O_RDWR) | O_CREAT, { mode });
    if (writeMode === 'replace') await opened.handle.truncate(0);
    return { ...opened, createdForWrite: created };
  }

  async write(relative, data, options = {}) {
    const target = this.#locate(relative);
    await this.#parent(target, options.mkdir);
    const existing = fs.lstatSync(target, { throwIfNoEntry: false });
    if (existing && options.overwrite === false) throw new FsSafeError('already-exists', 'file already exists');
    if (existing && !existing.isFile()) throw new FsSafeError('not-file', 'not a file');
    if (existing && existing.nlink > 1) throw new FsSafeError('hardlink', 'hardlinked path not allowed');
    const content = typeof data === 'string' ? Buffer.from(data, options.encoding ?? 'utf8') : data;
    await replaceFileAtomic({ filePath: target, content, mode: options.mode ?? this.defaults.mode ?? (existing ? existing.mode & 0o777 : 0o600) });
  }

  async create(relative, data, options = {}) {
    const target = this.#locate(relative);
    await this.#parent(target, options.mkdir);
    const opened = await this.#open(target, O_WRONLY | O_CREAT | O_EXCL, { mode: options.mode ?? this.defaults.mode ?? 0o600 });
    try {
      await opened.handle.writeFile(data, { encoding: options.encoding ?? 'utf8' });
    } finally {
      await opened.handle.close();
    }
  }

  async writeJson(relative, data, { replacer, space = 2, trailingNewline = true, ...options } = {}) {
    return this.write(relative, JSON.stringify(data, replacer, space) + (trailingNewline ? '\n' : ''), options);
  }

  async createJson(relative, data, { replacer, space = 2, trailingNewline = true, ...options } = {}) {
    return this.create(relative, JSON.stringify(data, replacer, space) + (trailingNewline ? '\n' : ''), options);
  }

  async append(relative, data, options = {}) {
    const opened = await this.openWritable(relative, { ...options, writeMode: 'update' });
    try {
      const { size } = opened.stat;
      const last = Buffer.alloc(1);
      if (options.prependNewlineIfNeeded && size > 0) await opened.handle.read(last, 0, 1, size - 1);
      const text = options.prependNewlineIfNeeded && size > 0 && last[0] !== 10 ? Buffer.concat([Buffer.from('\n'), Buffer.from(data, options.encoding)]) : Buffer.from(data, options.encoding);
      await opened.handle.write(text, 0, text.length, size);
    } finally {
      await opened.handle.close();
    }
  }

  async copyIn(relative, source, options = {}) {
    const from = await fs.promises.open(source, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    try {
      const stat = await from.stat();
      const limit = options.maxBytes ?? this.defaults.maxBytes ?? DEFAULT_ROOT_MAX_BYTES;
      if (!stat.isFile()) throw new FsSafeError('not-file', 'not a file');
      if (options.sourceHardlinks === 'reject' && stat.nlink > 1) throw new FsSafeError('hardlink', 'hardlinked source path not allowed');
      if (stat.size > limit) throw new FsSafeError('too-large', `file exceeds limit of ${limit} bytes (got ${stat.size})`);
      await this.write(relative, await from.readFile(), options);
    } finally {
      await from.close();
    }
  }

  async remove(relative) {
    const target = this.#locate(relative);
    if (target === this.rootReal) throw new FsSafeError('not-removable', 'the root cannot be removed');
    try {
      const stat = await fs.promises.lstat(target);
      await (stat.isDirectory() ? fs.promises.rmdir(target) : fs.promises.unlink(target));
    } catch (error) {
      if (isNotFoundPathError(error)) throw notFound(error);
      if (error.code === 'ENOTEMPTY') throw new FsSafeError('not-empty', 'directory is not empty', { cause: error });
      throw error;
    }
  }

  async mkdir(relative) {
    await fs.promises.mkdir(this.#locate(relative), { recursive: true });
  }

  async ensureRoot() {
    await fs.promises.mkdir(this.rootReal, { recursive: true });
  }

  async exists(relative) {
    return fs.existsSync(this.#locate(relative));
  }

  async stat(relative) {
    const stat = fs.lstatSync(this.#locate(relative), { throwIfNoEntry: false });
    if (!stat) throw notFound();
    return { isFile: stat.isFile(), isDirectory: stat.isDirectory(), isSymbolicLink: stat.isSymbolicLink(), size: stat.size, mtimeMs: stat.mtimeMs, mode: stat.mode, nlink: stat.nlink };
  }

  async list(relative, options) {
    const directory = this.#locate(relative);
    const names = (await fs.promises.readdir(directory)).sort();
    if (!options?.withFileTypes) return names;
    return Promise.all(names.map(async (name) => {
      const stat = await fs.promises.lstat(path.join(directory, name));
      return { name, isFile: stat.isFile(), isDirectory: stat.isDirectory(), isSymbolicLink: stat.isSymbolicLink(), size: stat.size, mtimeMs: stat.mtimeMs };
    }));
  }

  async move(from, to, options = {}) {
    const [source, target] = [this.#locate(from), this.#locate(to)];
    await this.#parent(target, true);
    if (!options.overwrite && fs.existsSync(target)) throw new FsSafeError('already-exists', 'file already exists');
    try {
      await fs.promises.rename(source, target);
    } catch (error) {
      throw isNotFoundPathError(error) ? notFound(error) : error;
    }
  }
}

/** The real path of a target, or of its nearest directory that exists with the rest after it. */
function realOfExisting(target) {
  for (let [head, rest] = [target, []]; ; [head, rest] = [path.dirname(head), [path.basename(head), ...rest]]) {
    try {
      return path.join(fs.realpathSync(head), ...rest);
    } catch (error) {
      if (!isNotFoundPathError(error) || head === path.dirname(head)) throw error;
    }
  }
}

/**
 * Opens a directory to read and write files below it.
 * @param {string} rootDir
 * @param {{hardlinks?: 'reject' | 'allow', symlinks?: 'reject' | 'follow-within-root', maxBytes?: number, mkdir?: boolean, mode?: number}} [defaults]
 * @returns {Promise<Root>}
 */
export async function root(rootDir, defaults = {}) {
  const resolved = path.resolve(relativeOf(rootDir));
  try {
    const real = await fs.promises.realpath(resolved);
    if (!(await fs.promises.stat(real)).isDirectory()) throw new FsSafeError('invalid-path', 'root dir is not a directory');
    return new Root(resolved, real, defaults);
  } catch (error) {
    throw isNotFoundPathError(error) ? new FsSafeError('not-found', 'root dir not found', { cause: error }) : error;
  }
}

/**
 * Reads a file below a directory.
 * @param {{rootDir: string, relativePath: string, rejectHardlinks?: boolean, maxBytes?: number, nonBlockingRead?: boolean, allowSymlinkTargetWithinRoot?: boolean}} params
 * @returns {Promise<{buffer: Buffer, realPath: string, stat: fs.Stats}>}
 */
export const readFileWithinRoot = async (params) =>
  (await root(params.rootDir)).read(params.relativePath, {
    hardlinks: params.rejectHardlinks === false ? 'allow' : 'reject', maxBytes: params.maxBytes,
    symlinks: params.allowSymlinkTargetWithinRoot === true ? 'follow-within-root' : 'reject',
  });

/**
 * Opens a file below a directory.
 * @param {object} params of `readFileWithinRoot`
 * @returns {Promise<{handle: fs.promises.FileHandle, realPath: string, stat: fs.Stats}>}
 */
export const openFileWithinRoot = async (params) =>
  (await root(params.rootDir)).open(params.relativePath, {
    hardlinks: params.rejectHardlinks === false ? 'allow' : 'reject', symlinks: params.allowSymlinkTargetWithinRoot === true ? 'follow-within-root' : 'reject',
  });

/**
 * Writes a file below a directory.
 * @param {{rootDir: string, relativePath: string, data: string | Buffer, encoding?: BufferEncoding, mkdir?: boolean}} params
 * @returns {Promise<void>}
 */
export const writeFileWithinRoot = async ({ rootDir, relativePath, data, encoding, mkdir }) => (await root(rootDir)).write(relativePath, data, { encoding, mkdir });

/**
 * Copies a file to a place below a directory.
 * @param {{rootDir: string, relativePath: string, sourcePath: string, maxBytes?: number, mkdir?: boolean}} params
 * @returns {Promise<void>}
 */
export const writeFileFromPathWithinRoot = async ({ rootDir, relativePath, sourcePath, ...options }) => (await root(rootDir)).copyIn(relativePath, sourcePath, options);

/**
 * Reads a file that lies below one of several directories.
 * @param {{filePath: string, roots: readonly string[], label?: string, maxBytes?: number, hardlinks?: 'reject' | 'allow', symlinks?: 'reject' | 'follow-within-root'}} options
 * @returns {Promise<{buffer: Buffer, realPath: string, stat: fs.Stats, root: string} | null>}
 */
export async function readLocalFileFromRoots({ filePath, roots, maxBytes, hardlinks, symlinks }) {
  const file = path.resolve(filePath.startsWith('file:') ? safeFileURLToPath(filePath) : relativeOf(filePath));
  for (const directory of roots) {
    try {
      const scope = await root(directory.startsWith('file:') ? safeFileURLToPath(directory) : directory);
      if (!isPathInside(scope.rootDir, file) && !isPathInside(scope.rootReal, file)) continue;
      return { ...(await scope.read(file, { maxBytes, hardlinks, symlinks })), root: scope.rootReal };
    } catch {
      // The next directory.
    }
  }
  return null;
}

/**
 * Opens a file, wherever it lies; links and special files are refused.
 * @param {{filePath: string}} params
 * @returns {Promise<{handle: fs.promises.FileHandle, realPath: string, stat: fs.Stats}>}
 */
export const openLocalFileSafely = async ({ filePath }) => (await root(path.dirname(path.resolve(filePath)))).open(path.basename(filePath), { hardlinks: 'allow' });

/**
 * The path of a `file:` URL of this machine.
 * @param {string} fileUrl
 * @returns {string}
 */
export function safeFileURLToPath(fileUrl) {
  const url = URL.canParse(fileUrl) ? new URL(fileUrl) : undefined;
  if (url?.protocol !== 'file:') throw new Error(`Invalid file:// URL: ${fileUrl}`);
  if (!['', 'localhost'].includes(url.hostname.toLowerCase())) throw new Error(`file:// URLs with remote hosts are not allowed: ${fileUrl}`);
  if (/%(?:2f|5c)/i.test(url.pathname)) throw new Error(`file:// URLs cannot encode path separators: ${fileUrl}`);
  url.hostname = '';
  return fileURLToPath(url);
}

/**
 * The file name of a path or URL.
 * @param {string | undefined} source
 * @returns {string | undefined}
 */
export function basenameFromMediaSource(source) {
  if (!source) return undefined;
  try {
    const file = source.startsWith('file://') ? safeFileURLToPath(source) : /^https?:\/\//i.test(source) ? new URL(source).pathname : source;
    return path.basename(file) || undefined;
  } catch {
    return undefined;
  }
}
