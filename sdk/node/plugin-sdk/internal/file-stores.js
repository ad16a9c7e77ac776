// Files of a plugin below one directory, which only this user can read.
import fs from 'node:fs';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { randomUUID } from 'node:crypto';
import { assertNoSymlinkParentsSync, isNotFoundPathError, isPathInside, readRegularFileSync, replaceFileAtomic, replaceFileAtomicSync, FsSafeError } from './safe-files.js';
import { root } from './safe-root.js';

const MODES = { dirMode: 0o700, mode: 0o600 };

function locate(rootDir, relative) {
  const file = path.resolve(rootDir, relative);
  if (path.isAbsolute(relative) || relative.includes('\0') || !isPathInside(rootDir, file) || file === path.resolve(rootDir)) throw new FsSafeError('outside-workspace', 'file is outside workspace root');
  return file;
}

function prepare(rootDir, relative) {
  const file = locate(rootDir, relative);
  fs.mkdirSync(path.resolve(rootDir), { recursive: true, mode: MODES.dirMode });
  assertNoSymlinkParentsSync({ rootDir, targetPath: path.dirname(file) });
  return file;
}

const json = (value, options) => JSON.stringify(value, null, 2) + (options?.trailingNewline === false ? '' : '\n');
const missingIsNull = (run) => {
  try {
    return run();
  } catch (error) {
    if (isNotFoundPathError(error)) return null;
    throw error;
  }
};

/**
 * A store whose calls do not wait.
 * @param {string} rootDir
 * @returns {{rootDir: string, path: Function, readTextIfExists: Function, readJsonIfExists: Function, write: Function, writeText: Function, writeJson: Function}}
 */
export function privateFileStoreSync(rootDir) {
  const readTextIfExists = (relative, options) => {
    const file = locate(rootDir, relative);
    assertNoSymlinkParentsSync({ rootDir, targetPath: path.dirname(file) });
    return missingIsNull(() => readRegularFileSync({ filePath: file, maxBytes: options?.maxBytes }).buffer.toString('utf8'));
  };
  const write = (relative, data, options) => {
    const file = prepare(rootDir, relative);
    replaceFileAtomicSync({ ...MODES, ...options, filePath: file, content: data });
    return file;
  };
  return {
    rootDir, path: (relative) => locate(rootDir, relative), readTextIfExists, write, writeText: write,
    readJsonIfExists(relative, options) {
      const text = readTextIfExists(relative, options);
      return text === null ? null : JSON.parse(text);
    },
    writeJson: (relative, value, options) => write(relative, json(value, options), options),
  };
}

/**
 * A store whose calls are promises.
 * @param {string} rootDir
 * @returns {object} `read`, `readBytes`, `readText`, `readJson` (each also `...IfExists` for text and JSON), `write`, `writeText`, `writeJson`, `writeStream`, `copyIn`, `open`, `remove`, `exists`, `path`, `root`
 */
export function privateFileStore(rootDir) {
  const sync = privateFileStoreSync(rootDir);
  const scope = () => root(rootDir, { mode: MODES.mode });
  const on = (method) => async (relative, options) => (await scope())[method](relative, options);
  const orNull = async (run) => {
    try {
      return await run();
    } catch (error) {
      if (error.code === 'not-found') return null;
      throw error;
    }
  };
  const write = async (relative, data, options) => {
    const file = prepare(rootDir, relative);
    await replaceFileAtomic({ ...MODES, ...options, filePath: file, content: data });
    return file;
  };
  const fromFile = async (relative, fill, options) => {
    const file = prepare(rootDir, relative);
    fs.mkdirSync(path.dirname(file), { recursive: true, mode: MODES.dirMode });
    const temporary = path.join(path.dirname(file), `.${path.basename(file)}.${randomUUID()}.tmp`);
    try {
      await fill(temporary);
      await fs.promises.chmod(temporary, options?.mode ?? MODES.mode);
      await fs.promises.rename(temporary, file);
      return file;
    } finally {
      await fs.promises.rm(temporary, { force: true });
    }
  };
  return {
    rootDir, path: sync.path, root: scope, write, writeText: write,
    read: on('read'), readBytes: on('readBytes'), readText: on('readText'), readJson: on('readJson'), open: on('open'), remove: on('remove'),
    readTextIfExists: (relative, options) => orNull(() => on('readText')(relative, options)),
    readJsonIfExists: (relative, options) => orNull(() => on('readJson')(relative, options)),
    exists: async (relative) => fs.existsSync(sync.path(relative)),
    writeJson: (relative, value, options) => write(relative, json(value, options), options),
    writeStream: (relative, stream, options) => fromFile(relative, (file) => pipeline(stream, fs.createWriteStream(file, { mode: MODES.mode, flags: 'wx' })), options),
    copyIn: (relative, source, options) => fromFile(relative, (file) => fs.promises.copyFile(source, file, fs.constants.COPYFILE_EXCL), options),
  };
}

/**
 * A name from outside as the name of a file.
 * @param {unknown} fileName
 * @param {string} fallbackName
 * @returns {string}
 */
export function sanitizeUntrustedFileName(fileName, fallbackName) {
  const base = typeof fileName === 'string' ? path.win32.basename(path.posix.basename(fileName.trim())) : '';
  const clean = base.replace(/[\u0000-\u001f\u007f]/g, '').trim();
  return !clean || clean === '.' || clean === '..' ? fallbackName : clean.slice(0, 200);
}

/**
 * Lets somebody write to a temporary path beside the target, then puts the file in its place.
 * @param {{rootDir: string, targetPath: string, writeTemp: (file: string) => Promise<void>, fallbackFileName?: string, tempPrefix?: string}} params
 * @returns {Promise<void>}
 */
export async function writeViaSiblingTempPath({ rootDir, targetPath, writeTemp, fallbackFileName, tempPrefix = '.openclaw-tmp-' }) {
  const scope = await root(rootDir);
  const target = await scope.resolve(targetPath);
  await fs.promises.mkdir(path.dirname(target), { recursive: true });
  const temporary = path.join(path.dirname(target), `${tempPrefix}${randomUUID()}-${sanitizeUntrustedFileName(path.basename(target), fallbackFileName ?? 'output.bin')}.part`);
  try {
    await writeTemp(temporary);
    const stat = await fs.promises.lstat(temporary);
    if (!stat.isFile()) throw new FsSafeError('not-file', 'what was written is not a file');
    await scope.move(path.relative(scope.rootReal, temporary), path.relative(scope.rootReal, target), { overwrite: true });
  } finally {
    await fs.promises.rm(temporary, { force: true });
  }
}

/**
 * The same with a path below the root.
 * @param {{rootDir: string, path: string, write: (file: string) => Promise<void>, fallbackFileName?: string, tempPrefix?: string}} options
 * @returns {Promise<{path: string}>}
 */
export async function writeExternalFileWithinRoot({ rootDir, path: relative, write, fallbackFileName, tempPrefix }) {
  const target = path.resolve(rootDir, relative);
  await writeViaSiblingTempPath({ rootDir, targetPath: target, writeTemp: write, fallbackFileName, tempPrefix });
  return { path: target };
}
