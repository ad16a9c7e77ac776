// JSON files below a root that nothing leads out of, read at once.
import fs from 'node:fs';
import path from 'node:path';
import { isPathInside } from './safe-files.js';
import { isRecord } from './strings.js';

/** Longest file where the caller does not say, in bytes. */
const LONGEST = 16 * 1024 * 1024;

/** Opens a plain file below a root: `{fd, stat, path, rootRealPath}`, or why not. */
function open({ rootDir, relativePath, rootRealPath, boundaryLabel = 'root', rejectHardlinks = true, maxBytes = LONGEST }) {
  const refuse = (reason, error) => ({ ok: false, reason, error });
  const file = path.resolve(rootDir, relativePath);
  let fd;
  try {
    const rootReal = rootRealPath ?? fs.realpathSync(rootDir);
    const real = fs.realpathSync(file);
    if (!isPathInside(rootReal, real)) return refuse('validation', new Error(`\`${file}\` leads out of ${boundaryLabel}`));
    fd = fs.openSync(real, fs.constants.O_RDONLY | fs.constants.O_NOFOLLOW | fs.constants.O_NONBLOCK);
    const stat = fs.fstatSync(fd);
    const wrong = !stat.isFile() ? 'is no file' : rejectHardlinks && stat.nlink > 1 ? 'has other names' : stat.size > maxBytes ? `has more than ${maxBytes} bytes` : undefined;
    if (!wrong) return { ok: true, fd, stat, path: real, rootRealPath: rootReal };
    fs.closeSync(fd);
    return refuse('validation', new Error(`\`${file}\` ${wrong}`));
  } catch (error) {
    return refuse(['ENOENT', 'ENOTDIR', 'ELOOP'].includes(error.code) ? 'path' : 'io', error);
  }
}

/**
 * Reads a file in a form of the caller's.
 * @template T
 * @param {{rootDir: string, relativePath: string, parse: (text: string) => T, validate?: (value: T) => boolean, invalidMessage?: string | ((relativePath: string) => string), rootRealPath?: string, boundaryLabel?: string, rejectHardlinks?: boolean, maxBytes?: number}} options
 * @returns {{ok: true, value: T, stat: fs.Stats, path: string, rootRealPath: string} | {ok: false, reason: 'open' | 'parse' | 'invalid', error?: string, failure?: any}}
 */
export function readRootStructuredFileSync(options) {
  const { relativePath, parse, validate, invalidMessage } = options;
  const opened = open(options);
  if (!opened.ok) return { ok: false, reason: 'open', failure: opened };
  try {
    const value = parse(fs.readFileSync(opened.fd, 'utf8'));
    if (!validate || validate(value)) return { ok: true, value, stat: opened.stat, path: opened.path, rootRealPath: opened.rootRealPath };
    return { ok: false, reason: 'invalid', error: (typeof invalidMessage === 'function' ? invalidMessage(relativePath) : invalidMessage) ?? `${relativePath} is invalid` };
  } catch (error) {
    return { ok: false, reason: 'parse', error: `failed to parse ${relativePath}: ${String(error)}` };
  } finally {
    fs.closeSync(opened.fd);
  }
}
/** Reads JSON. @param {any} options as {@link readRootStructuredFileSync}, without `parse` @returns {any} */
export const readRootJsonSync = (options) => readRootStructuredFileSync({ ...options, parse: JSON.parse });
/** Reads a JSON object. @param {any} options as {@link readRootStructuredFileSync}, without `parse` and `validate` @returns {any} */
export const readRootJsonObjectSync = (options) => readRootStructuredFileSync({ ...options, parse: JSON.parse, validate: isRecord, invalidMessage: (file) => `${file} must contain a JSON object` });
