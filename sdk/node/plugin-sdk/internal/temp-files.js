// Temporary files and directories of this user only.
import fs from 'node:fs';
import path from 'node:path';
import { randomUUID } from 'node:crypto';
import { resolvePreferredOpenClawTmpDir } from './paths.js';

const FILE_MODE = 0o600;
const DIR_MODE = 0o700;
/** Directories that are removed when the process ends. */
const open = new Set();

const dashed = (text, allowed, fallback) => text.replace(allowed, '-').replace(/^-+|-+$/g, '') || fallback;
const safePrefix = (prefix) => dashed(prefix ?? '', /[^a-zA-Z0-9_-]+/g, 'tmp');
const safeExtension = (extension) => {
  const token = (/[\w.-]+$/.exec(extension ?? '')?.[0] ?? '').replace(/^[._-]+/, '');
  return token ? `.${token}` : '';
};

/**
 * A file name without directories and unusual characters.
 * @param {string} fileName
 * @returns {string}
 */
export const sanitizeTempFileName = (fileName) => dashed(path.basename(fileName), /[^a-zA-Z0-9._-]+/g, 'download.bin');

const rootOf = (tmpDir) => tmpDir ?? resolvePreferredOpenClawTmpDir();

/**
 * A path that nobody uses yet.
 * @param {{prefix: string, extension?: string, tmpDir?: string, now?: number, uuid?: string}} params
 * @returns {string}
 */
export function buildRandomTempFilePath({ prefix, extension, tmpDir, now, uuid }) {
  const stamp = Number.isFinite(now) ? Math.trunc(now) : Date.now();
  return path.join(rootOf(tmpDir), `${safePrefix(prefix)}-${stamp}-${uuid?.trim() || randomUUID()}${safeExtension(extension)}`);
}

function removeAtExit(dir) {
  if (open.size === 0) process.once('exit', () => open.forEach((one) => fs.rmSync(one, { recursive: true, force: true })));
  open.add(dir);
}

function remove(dir) {
  fs.rmSync(dir, { recursive: true, force: true });
  open.delete(dir);
}

function leafOf(fileName) {
  if (!fileName || fileName === '.' || fileName === '..' || /[\\/\0]/.test(fileName)) throw new Error(`Invalid temp workspace file name: ${JSON.stringify(fileName)}`);
  return fileName;
}

/**
 * A private directory with files in it, removed by `cleanup` or when the process ends.
 * @param {{rootDir: string, prefix?: string, dirMode?: number, mode?: number}} options
 * @returns {{dir: string, path: (name: string) => string, write: (name: string, data: string | Uint8Array) => string, writeText: (name: string, data: string) => string, writeJson: (name: string, data: unknown, options?: {trailingNewline?: boolean}) => string, read: (name: string) => Buffer, cleanup: () => void}}
 */
export function tempWorkspaceSync({ rootDir, prefix, dirMode = DIR_MODE, mode = FILE_MODE }) {
  fs.mkdirSync(path.resolve(rootDir), { recursive: true, mode: dirMode });
  const dir = fs.mkdtempSync(path.join(fs.realpathSync(path.resolve(rootDir)), safePrefix(prefix)));
  removeAtExit(dir);
  fs.chmodSync(dir, dirMode);
  const at = (name) => path.join(dir, leafOf(name));
  const write = (name, data) => {
    fs.writeFileSync(at(name), data, { mode, flag: fs.constants.O_WRONLY | fs.constants.O_CREAT | fs.constants.O_TRUNC | fs.constants.O_NOFOLLOW });
    return at(name);
  };
  const read = (name) => {
    const fd = fs.openSync(at(name), fs.constants.O_RDONLY | fs.constants.O_NOFOLLOW);
    try {
      const { nlink } = fs.fstatSync(fd);
      if (nlink > 1) throw new Error(`Hardlinked file not allowed: ${name}`);
      return fs.readFileSync(fd);
    } finally {
      fs.closeSync(fd);
    }
  };
  const cleanup = () => remove(dir);
  return {
    dir, path: at, write, writeText: write, read, cleanup, [Symbol.dispose]: cleanup,
    writeJson: (name, data, options) => write(name, `${JSON.stringify(data, null, 2)}${options?.trailingNewline === false ? '' : '\n'}`),
  };
}

/**
 * The same with promises.
 * @param {{rootDir: string, prefix?: string, dirMode?: number, mode?: number}} options
 * @returns {Promise<object>} as `tempWorkspaceSync`, and `copyIn(name, sourcePath)`
 */
export async function tempWorkspace(options) {
  const sync = tempWorkspaceSync(options);
  const later = (run) => async (...args) => run(...args);
  const cleanup = later(sync.cleanup);
  return {
    dir: sync.dir, path: sync.path, cleanup, [Symbol.asyncDispose]: cleanup,
    write: later(sync.write), writeText: later(sync.writeText), writeJson: later(sync.writeJson), read: later(sync.read),
    async copyIn(name, source) {
      await fs.promises.copyFile(source, sync.path(name), fs.constants.COPYFILE_EXCL);
      await fs.promises.chmod(sync.path(name), options.mode ?? FILE_MODE);
      return sync.path(name);
    },
  };
}

const unique = (options) => ({ ...options, prefix: `${safePrefix(options.prefix)}${randomUUID()}-` });

/**
 * Runs something with a directory that is removed afterwards.
 * @template T
 * @param {object} options of `tempWorkspace`
 * @param {(workspace: object) => Promise<T>} run
 * @returns {Promise<T>}
 */
export async function withTempWorkspace(options, run) {
  const workspace = await tempWorkspace(unique(options));
  try {
    return await run(workspace);
  } finally {
    await workspace.cleanup();
  }
}

/**
 * The same without waiting.
 * @template T
 * @param {object} options of `tempWorkspaceSync`
 * @param {(workspace: object) => T} run
 * @returns {T}
 */
export function withTempWorkspaceSync(options, run) {
  const workspace = tempWorkspaceSync(unique(options));
  try {
    return run(workspace);
  } finally {
    workspace.cleanup();
  }
}

/**
 * A path to download to, in a directory of its own.
 * @param {{prefix: string, fileName?: string, tmpDir?: string}} params
 * @returns {Promise<{dir: string, path: string, file: (name?: string) => string, cleanup: () => Promise<void>}>}
 */
export async function createTempDownloadTarget({ prefix, fileName = 'download.bin', tmpDir }) {
  const workspace = await tempWorkspace({ rootDir: rootOf(tmpDir), prefix: safePrefix(prefix) });
  const file = (name = fileName) => workspace.path(sanitizeTempFileName(name));
  return { dir: workspace.dir, path: file(), file, cleanup: workspace.cleanup, [Symbol.asyncDispose]: workspace.cleanup };
}

/**
 * Runs something with such a path.
 * @template T
 * @param {{prefix: string, fileName?: string, tmpDir?: string}} params
 * @param {(path: string) => Promise<T>} run
 * @returns {Promise<T>}
 */
export async function withTempDownloadPath(params, run) {
  const target = await createTempDownloadTarget(params);
  try {
    return await run(target.path);
  } finally {
    await target.cleanup();
  }
}
