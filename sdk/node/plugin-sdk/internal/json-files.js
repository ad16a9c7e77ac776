// JSON in regular files.
import fs from 'node:fs';
import path from 'node:path';
import { readRegularFileSync, replaceFileAtomic, replaceFileAtomicSync } from './safe-files.js';

/** Says whether reading or parsing failed. */
export class JsonFileReadError extends Error {
  /** @param {string} filePath @param {'read' | 'parse'} reason @param {unknown} cause */
  constructor(filePath, reason, cause) {
    super(`Failed to ${reason} JSON file: ${filePath}`, { cause });
    Object.assign(this, { name: 'JsonFileReadError', filePath, reason });
  }
}
function step(filePath, reason, run) {
  try {
    return run();
  } catch (error) {
    throw new JsonFileReadError(filePath, reason, error);
  }
}
/** @param {string} filePath @returns {any} throws `JsonFileReadError` */
export function readJsonSync(filePath) {
  const text = step(filePath, 'read', () => readRegularFileSync({ filePath }).buffer.toString('utf8'));
  return step(filePath, 'parse', () => JSON.parse(text));
}
/** @param {string} filePath @returns {Promise<any>} */
export const readJson = async (filePath) => readJsonSync(filePath);
export const readJsonFileStrict = readJson;
/** `null` for a file that is not there. @param {string} filePath @returns {Promise<any>} */
export const readJsonIfExists = async (filePath) => (fs.existsSync(filePath) ? readJsonSync(filePath) : null);
export const readDurableJsonFile = readJsonIfExists;
/** `null` for whatever is wrong. @param {string} filePath @returns {any} */
export function tryReadJsonSync(filePath) {
  try {
    return readJsonSync(filePath);
  } catch {
    return null;
  }
}
export const readJsonFileSync = tryReadJsonSync;
/** @param {string} filePath @returns {Promise<any>} */
export const tryReadJson = async (filePath) => tryReadJsonSync(filePath);
export const readJsonFile = tryReadJson;

const ended = (text, line) => (line && !text.endsWith('\n') ? `${text}\n` : text);
/** Writes a text whole: a temporary file, then its new name. @param {string} filePath @param {string} content @param {{mode?: number, dirMode?: number, trailingNewline?: boolean}} [options] @returns {Promise<void>} */
export const writeTextAtomic = async (filePath, content, options = {}) => void (await replaceFileAtomic({ filePath, content: ended(content, options.trailingNewline), mode: options.mode ?? 0o600, dirMode: options.dirMode ?? 0o777 & ~process.umask() }));
/** @param {string} filePath @param {unknown} value @param {object} [options] @returns {Promise<void>} */
export const writeJson = (filePath, value, options) => writeTextAtomic(filePath, JSON.stringify(value, null, 2), options);
export const writeJsonAtomic = writeJson;
/** @param {string} filePath @param {unknown} value @returns {void} */
export function writeJsonSync(filePath, value) {
  replaceFileAtomicSync({ filePath: path.resolve(filePath), content: `${JSON.stringify(value, null, 2)}\n`, mode: 0o600 });
}
/** The same for what nobody else may read. @param {string} filePath @param {unknown} value @returns {void} */
export function writeJsonFileSecure(filePath, value) {
  replaceFileAtomicSync({ filePath: path.resolve(filePath), content: `${JSON.stringify(value, null, 2)}\n`, mode: 0o600, dirMode: 0o700 });
}
