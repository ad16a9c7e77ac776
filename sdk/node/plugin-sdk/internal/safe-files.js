// Regular files only: no links, no devices, never more bytes than agreed.
import fs from 'node:fs';
import path from 'node:path';
import { randomUUID } from 'node:crypto';

const { O_RDONLY, O_NOFOLLOW = 0, O_NONBLOCK = 0, O_WRONLY, O_CREAT, O_APPEND } = fs.constants;
const OPERATIONAL = new Set(['helper-failed', 'helper-unavailable', 'timeout', 'unsupported-platform', 'not-found', 'already-exists', 'not-empty']);

/** Why a path or file was refused: `code` says which rule. */
export class FsSafeError extends Error {
  /**
   * @param {string} code
   * @param {string} message
   * @param {{cause?: unknown}} [options]
   */
  constructor(code, message, options) {
    super(message, options?.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'FsSafeError';
    this.code = code;
    this.category = OPERATIONAL.has(code) ? 'operational' : 'policy';
  }
}
/** The former name. */
export const SafeOpenError = FsSafeError;

/**
 * Whether an error says that a path is not there.
 * @param {unknown} error
 * @returns {boolean}
 */
export const isNotFoundPathError = (error) => ['ENOENT', 'ENOTDIR'].includes(error?.code);

/**
 * Whether a path lies in a directory, or is it.
 * @param {string} root
 * @param {string} target
 * @returns {boolean}
 */
export function isPathInside(root, target) {
  const relative = path.relative(path.resolve(root), path.resolve(target));
  return relative === '' || (relative !== '..' && !relative.startsWith(`..${path.sep}`) && !path.isAbsolute(relative));
}

/**
 * @param {string} target
 * @returns {Promise<boolean>}
 */
export const pathExists = (target) => fs.promises.access(target).then(() => true, () => false);

/**
 * @param {string} target
 * @returns {boolean}
 */
export const pathExistsSync = (target) => fs.existsSync(target);

const refuse = (file, stat) => {
  if (stat.isSymbolicLink()) throw new Error(`File must not be a symlink: ${file}`);
  if (!stat.isFile()) throw new Error(`File is not a regular file: ${file}`);
};

/**
 * The state of a regular file.
 * @param {string} file
 * @returns {{missing: true} | {missing: false, stat: fs.Stats}} throws for links and other kinds
 */
export function statRegularFileSync(file) {
  const stat = fs.lstatSync(file, { throwIfNoEntry: false });
  if (!stat) return { missing: true };
  refuse(file, stat);
  return { missing: false, stat };
}

/**
 * The same with a promise.
 * @param {string} file
 * @returns {Promise<{missing: true} | {missing: false, stat: fs.Stats}>}
 */
export const statRegularFile = async (file) => statRegularFileSync(file);

/**
 * Reads a regular file.
 * @param {{filePath: string, maxBytes?: number}} params
 * @returns {{buffer: Buffer, stat: fs.Stats}}
 */
export function readRegularFileSync({ filePath, maxBytes = Infinity }) {
  refuse(filePath, fs.lstatSync(filePath));
  const fd = fs.openSync(filePath, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  try {
    const stat = fs.fstatSync(fd);
    refuse(filePath, stat);
    const tooLarge = () => new Error(`File exceeds ${maxBytes} bytes: ${filePath}`);
    if (stat.size > maxBytes) throw tooLarge();
    const buffer = fs.readFileSync(fd);
    if (buffer.length > maxBytes) throw tooLarge();
    return { buffer, stat };
  } finally {
    fs.closeSync(fd);
  }
}

/**
 * The same with a promise.
 * @param {{filePath: string, maxBytes?: number}} params
 * @returns {Promise<{buffer: Buffer, stat: fs.Stats}>}
 */
export const readRegularFile = async (params) => readRegularFileSync(params);

/**
 * Text of a file, `null` when it is not there.
 * @param {string} file
 * @returns {Promise<string | null>}
 */
export async function readTextFileIfExists(file) {
  try {
    return await fs.promises.readFile(file, 'utf8');
  } catch (error) {
    if (isNotFoundPathError(error)) return null;
    throw error;
  }
}

/**
 * The flags to append to a file without following a link.
 * @param {object} [constants] of `node:fs`
 * @returns {number}
 */
export const resolveRegularFileAppendFlags = (constants = fs.constants) =>
  constants.O_APPEND | constants.O_CREAT | constants.O_WRONLY | (constants.O_NOFOLLOW ?? 0);

/**
 * Appends to a regular file; one that is not there is made.
 * @param {{filePath: string, content: string | Uint8Array, encoding?: BufferEncoding, maxFileBytes?: number, mode?: number, rejectSymlinkParents?: boolean}} options
 * @returns {void}
 */
export function appendRegularFileSync({ filePath, content, encoding = 'utf8', maxFileBytes = Infinity, mode = 0o600, rejectSymlinkParents }) {
  if (rejectSymlinkParents) assertNoSymlinkParentsSync({ rootDir: path.parse(path.resolve(filePath)).root, targetPath: path.dirname(path.resolve(filePath)) });
  statRegularFileSync(filePath);
  const fd = fs.openSync(filePath, O_APPEND | O_CREAT | O_WRONLY | O_NOFOLLOW, mode);
  try {
    const stat = fs.fstatSync(fd);
    refuse(filePath, stat);
    const size = typeof content === 'string' ? Buffer.byteLength(content, encoding) : content.length;
    if (stat.size + size > maxFileBytes) throw new Error(`File would exceed ${maxFileBytes} bytes: ${filePath}`);
    fs.fchmodSync(fd, mode);
    fs.appendFileSync(fd, content, { encoding });
  } finally {
    fs.closeSync(fd);
  }
}

/**
 * The same with a promise.
 * @param {object} options of `appendRegularFileSync`
 * @returns {Promise<void>}
 */
export const appendRegularFile = async (options) => appendRegularFileSync(options);

/**
 * Refuses links among the directories between a root and a target, the target included.
 * @param {{rootDir: string, targetPath: string, allowMissing?: boolean, allowOutsideRoot?: boolean, allowRootChildSymlink?: boolean, requireDirectories?: boolean, messagePrefix?: string}} params
 * @returns {void}
 */
export function assertNoSymlinkParentsSync(params) {
  const { allowMissing = true, allowOutsideRoot, allowRootChildSymlink, requireDirectories, messagePrefix = 'Path must not traverse symlinks' } = params;
  const [root, target] = [path.resolve(params.rootDir), path.resolve(params.targetPath)];
  if (!isPathInside(root, target)) {
    if (allowOutsideRoot) return;
    throw new Error(`${messagePrefix}: ${target} is outside ${root}`);
  }
  let current = root;
  for (const [index, part] of path.relative(root, target).split(path.sep).filter(Boolean).entries()) {
    current = path.join(current, part);
    const stat = fs.lstatSync(current, { throwIfNoEntry: false });
    if (!stat) {
      if (allowMissing) return;
      throw Object.assign(new Error(`${messagePrefix}: ${current} does not exist`), { code: 'ENOENT' });
    }
    if (stat.isSymbolicLink() && !(allowRootChildSymlink && index === 0)) throw new Error(`${messagePrefix}: ${current}`);
    if (requireDirectories && !stat.isDirectory() && !stat.isSymbolicLink()) throw new Error(`${messagePrefix}: ${current} is not a directory`);
  }
}

/**
 * The same with a promise.
 * @param {object} params of `assertNoSymlinkParentsSync`
 * @returns {Promise<void>}
 */
export const assertNoSymlinkParents = async (params) => assertNoSymlinkParentsSync(params);

const RETRY = new Set(['EBUSY', 'EPERM', 'EACCES']);

/**
 * Replaces a file as a whole.
 * @param {object} options `filePath`, `content`, and optionally `mode`, `dirMode`, `preserveExistingMode`, `tempPrefix`, `syncTempFile`, `syncParentDir`, `renameMaxRetries`, `renameRetryBaseDelayMs`, `copyFallbackOnPermissionError`, `beforeRename({filePath, tempPath})`
 * @returns {Promise<{method: 'rename' | 'copy-fallback'}>}
 */
export async function replaceFileAtomic(options) {
  const prepared = prepareReplace(options);
  try {
    await options.beforeRename?.(prepared);
    return await finishReplace(prepared, options);
  } finally {
    fs.rmSync(prepared.tempPath, { force: true });
  }
}

/**
 * The same without waiting.
 * @param {object} options of `replaceFileAtomic`
 * @returns {{method: 'rename' | 'copy-fallback'}}
 */
export function replaceFileAtomicSync(options) {
  const prepared = prepareReplace(options);
  try {
    options.beforeRename?.(prepared);
    return commitReplace(prepared, options);
  } finally {
    fs.rmSync(prepared.tempPath, { force: true });
  }
}

function prepareReplace({ filePath, content, dirMode = 0o700, mode = 0o600, preserveExistingMode, tempPrefix, syncTempFile }) {
  const directory = path.dirname(filePath);
  fs.mkdirSync(directory, { recursive: true, mode: dirMode });
  const existing = preserveExistingMode ? fs.statSync(filePath, { throwIfNoEntry: false }) : undefined;
  const finalMode = existing ? existing.mode & 0o777 : mode;
  const tempPath = path.join(directory, `${tempPrefix ?? `.${path.basename(filePath)}`}.${process.pid}.${randomUUID()}.tmp`);
  fs.writeFileSync(tempPath, content, { mode: finalMode, flag: 'wx', flush: syncTempFile === true });
  fs.chmodSync(tempPath, finalMode);
  return { filePath, tempPath };
}

function commitReplace({ filePath, tempPath }, { copyFallbackOnPermissionError, syncParentDir }) {
  let method = 'rename';
  try {
    fs.renameSync(tempPath, filePath);
  } catch (error) {
    if (!copyFallbackOnPermissionError || !RETRY.has(error.code)) throw error;
    if (fs.lstatSync(filePath, { throwIfNoEntry: false })?.isSymbolicLink()) throw error;
    fs.copyFileSync(tempPath, filePath);
    method = 'copy-fallback';
  }
  if (syncParentDir) {
    const fd = fs.openSync(path.dirname(filePath), O_RDONLY);
    fs.fsyncSync(fd);
    fs.closeSync(fd);
  }
  return { method };
}

async function finishReplace(prepared, options) {
  const { renameMaxRetries = 0, renameRetryBaseDelayMs = 50 } = options;
  for (let attempt = 0; ; attempt++) {
    try {
      return commitReplace(prepared, options);
    } catch (error) {
      if (attempt >= renameMaxRetries || !RETRY.has(error.code)) throw error;
      await new Promise((resolve) => setTimeout(resolve, renameRetryBaseDelayMs * 2 ** attempt));
    }
  }
}

/**
 * Makes the directory of a file.
 * @param {string} file
 * @returns {Promise<void>}
 */
export const ensureDirForFile = async (file) => void (await fs.promises.mkdir(path.dirname(file), { recursive: true }));

/**
 * Writes text as a whole.
 * @param {string} file
 * @param {string} content
 * @param {{mode?: number, dirMode?: number}} [options]
 * @returns {Promise<void>}
 */
export const writeTextFileAtomic = async (file, content, options) => void (await replaceFileAtomic({ filePath: file, content, mode: 0o600, ...options }));

/**
 * Moves a path, by copying when it lies on another file system.
 * @param {{from: string, to: string, sourceHardlinks?: 'allow' | 'reject'}} options
 * @returns {Promise<void>}
 */
export async function movePathWithCopyFallback({ from, to }) {
  try {
    await fs.promises.rename(from, to);
  } catch (error) {
    if (error.code !== 'EXDEV') throw error;
    await fs.promises.cp(from, to, { recursive: true, verbatimSymlinks: true, errorOnExist: true, force: false });
    await fs.promises.rm(from, { recursive: true, force: true });
  }
}
