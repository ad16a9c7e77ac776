// The media store: files below `<state>/media`, named by a random id.
import { randomUUID } from 'node:crypto';
import fs from 'node:fs/promises';
import path from 'node:path';
import { detectMime, extensionForMime } from '../mime.js';
import { resolveStateDir } from '../paths.js';
import { fetchRemoteMedia, readMediaResponse } from './fetch.js';
import { MEDIA_MAX_BYTES } from './limits.js';

/** A source that cannot be stored; `code` says why. */
export class SaveMediaSourceError extends Error {
  /** @param {string} code @param {string} message @param {ErrorOptions} [options] */
  constructor(code, message, options) {
    super(message, options);
    this.name = 'SaveMediaSourceError';
    this.code = code;
  }
}

/** The directory of the store. @returns {string} */
export const getMediaDir = () => path.join(resolveStateDir(), 'media');

/** The same, after it was made. @returns {Promise<string>} */
export async function ensureMediaDir() {
  await fs.mkdir(getMediaDir(), { recursive: true, mode: 0o700 });
  return getMediaDir();
}

function subdirectory(subdir, caller) {
  const unsafe = typeof subdir !== 'string' || subdir.includes('\0') || path.isAbsolute(subdir) || path.win32.isAbsolute(subdir);
  const parts = unsafe ? [] : subdir.split(/[\\/]+/);
  const plain = subdir === '' || subdir === '.';
  if (unsafe || (!plain && parts.some((part) => !part || part === '.' || part === '..'))) {
    throw new Error(`${caller}: unsafe media subdir: ${JSON.stringify(subdir)}`);
  }
  return plain ? getMediaDir() : path.join(getMediaDir(), ...parts);
}

function fileOf(id, subdir, caller) {
  if (!id || /[/\\\0]/.test(id) || id === '..' || id === '.') throw new Error(`${caller}: unsafe media ID: ${JSON.stringify(id)}`);
  return path.join(subdirectory(subdir, caller), id);
}

const megabytes = (bytes) => `${(bytes / (1024 * 1024)).toFixed(0)}MB`;
const cleanName = (name) =>
  path.parse(path.posix.basename(name.replaceAll('\\', '/'))).name.replace(/[^\p{L}\p{N}._-]+/gu, '_').replace(/_+/g, '_').replace(/^_|_$/g, '').slice(0, 60);
const givenExtension = (name) => /\.[a-z0-9]{1,16}$/.exec(path.extname(name ?? '').toLowerCase())?.[0];

function newId(extension, originalFilename) {
  const name = originalFilename ? cleanName(originalFilename) : '';
  return `${name ? `${name}---` : ''}${randomUUID()}${extension ?? ''}`;
}

async function write(directory, id, buffer) {
  await fs.mkdir(directory, { recursive: true, mode: 0o700 });
  const temporary = path.join(directory, `.${id}.tmp`);
  try {
    await fs.writeFile(temporary, buffer, { mode: 0o644, flag: 'wx' });
    await fs.rename(temporary, path.join(directory, id));
  } catch (error) {
    await fs.rm(temporary, { force: true });
    throw error;
  }
}

/**
 * Keeps bytes in the store.
 * @param {Buffer} buffer @param {string} [contentType] @param {string} [subdir] @param {number} [maxBytes] @param {string} [originalFilename]
 * @returns {Promise<{ id: string, path: string, size: number, contentType?: string }>}
 */
export async function saveMediaBuffer(buffer, contentType, subdir = 'inbound', maxBytes = MEDIA_MAX_BYTES, originalFilename) {
  if (buffer.byteLength > maxBytes) throw new Error(`Media exceeds ${megabytes(maxBytes)} limit`);
  const directory = subdirectory(subdir, 'saveMediaBuffer');
  const mime = await detectMime({ buffer, headerMime: contentType });
  const id = newId(extensionForMime(contentType) ?? extensionForMime(mime) ?? givenExtension(originalFilename), originalFilename);
  await write(directory, id, buffer);
  return { id, path: path.join(directory, id), size: buffer.byteLength, contentType: mime };
}

/**
 * Keeps what a stream of chunks brings.
 * @param {AsyncIterable<Uint8Array>} chunks @param {string} [contentType] @param {string} [subdir] @param {number} [maxBytes] @param {string} [originalFilename]
 */
export async function saveMediaStream(chunks, contentType, subdir = 'inbound', maxBytes = MEDIA_MAX_BYTES, originalFilename) {
  const parts = [];
  let size = 0;
  for await (const chunk of chunks) {
    size += chunk.byteLength;
    if (size > maxBytes) throw new Error(`Media exceeds ${megabytes(maxBytes)} limit`);
    parts.push(chunk);
  }
  return saveMediaBuffer(Buffer.concat(parts), contentType, subdir, maxBytes, originalFilename);
}

async function readSource(file, maxBytes) {
  const fail = (code, message, cause) => {
    throw new SaveMediaSourceError(code, message, { cause });
  };
  const stat = await fs.lstat(file).catch((error) => fail(error.code === 'ENOENT' ? 'not-found' : 'invalid-path', error.code === 'ENOENT' ? 'Media path does not exist' : 'Media path is not safe to read', error));
  if (stat.isSymbolicLink()) fail('invalid-path', 'Media path is not safe to read');
  if (!stat.isFile()) fail('not-file', 'Media path is not a file');
  if (stat.size > maxBytes) fail('too-large', `Media exceeds ${megabytes(maxBytes)} limit`);
  return fs.readFile(file);
}

/**
 * Keeps what an address or a file holds.
 * @param {string} source @param {Record<string, string>} [headers] @param {string} [subdir] @param {number} [maxBytes]
 */
export async function saveMediaSource(source, headers, subdir = '', maxBytes = MEDIA_MAX_BYTES) {
  const directory = subdirectory(subdir, 'saveMediaSource');
  await cleanOldMedia(undefined, { recursive: false });
  const remote = /^https?:\/\//i.test(source);
  const buffer = remote ? (await fetchRemoteMedia({ url: source, requestInit: { headers }, maxBytes, maxRedirects: 5 })).buffer : await readSource(source, maxBytes);
  const contentType = await detectMime({ buffer, filePath: source });
  const id = newId(extensionForMime(contentType) ?? path.extname(remote ? new URL(source).pathname : source));
  await write(directory, id, buffer);
  return { id, path: path.join(directory, id), size: buffer.byteLength, contentType };
}

/** Fetches and keeps media. @param {object} options as of `fetchRemoteMedia`, with `subdir` and `originalFilename` */
export async function saveRemoteMedia(options) {
  const media = await fetchRemoteMedia(options);
  const saved = await saveMediaBuffer(media.buffer, media.contentType, options.subdir, options.maxBytes ?? media.buffer.byteLength, options.originalFilename);
  return { ...saved, ...(media.fileName ? { fileName: media.fileName } : {}) };
}

/** Keeps the media of a response. @param {Response} response @param {object} [options] */
export async function saveResponseMedia(response, options = {}) {
  const media = await readMediaResponse(response, { ...options, url: options.sourceUrl ?? response.url });
  const saved = await saveMediaBuffer(media.buffer, media.contentType, options.subdir, options.maxBytes ?? media.buffer.byteLength, options.originalFilename);
  return { ...saved, ...(media.fileName ? { fileName: media.fileName } : {}) };
}

async function openFile(id, subdir, caller) {
  const file = fileOf(id, subdir, caller);
  const stat = await fs.lstat(file).catch(() => null);
  if (!stat?.isFile()) throw new Error(`${caller}: media ID does not resolve to a file: ${JSON.stringify(id)}`);
  return { file: await fs.realpath(file), size: stat.size };
}

/** The bytes of stored media. @param {string} id @param {string} [subdir] @param {number} [maxBytes] @returns {Promise<{ id: string, path: string, buffer: Buffer, size: number }>} */
export async function readMediaBuffer(id, subdir = 'inbound', maxBytes = MEDIA_MAX_BYTES) {
  const { file, size } = await openFile(id, subdir, 'readMediaBuffer');
  if (size > maxBytes) throw new Error(`readMediaBuffer: media ID ${JSON.stringify(id)} is ${size} bytes; maximum is ${maxBytes} bytes`);
  const buffer = await fs.readFile(file);
  return { id, path: file, buffer, size: buffer.byteLength };
}

/** The path of stored media. @param {string} id @param {string} [subdir] @returns {Promise<string>} */
export const resolveMediaBufferPath = async (id, subdir = 'inbound') => (await openFile(id, subdir, 'resolveMediaBufferPath')).file;

/** Removes stored media. @param {string} id @param {string} [subdir] @returns {Promise<void>} */
export const deleteMediaBuffer = async (id, subdir = 'inbound') => fs.rm(fileOf(id, subdir, 'deleteMediaBuffer'), { force: true });

/** Removes files that are older than a time in milliseconds. @param {number} [ttlMs] @param {{ recursive?: boolean, pruneEmptyDirs?: boolean }} [options] @returns {Promise<void>} */
export async function cleanOldMedia(ttlMs = 120_000, { recursive = true, pruneEmptyDirs = false } = {}) {
  const sweep = async (directory, top) => {
    for (const entry of await fs.readdir(directory, { withFileTypes: true }).catch(() => [])) {
      const file = path.join(directory, entry.name);
      if (entry.isDirectory() && (recursive || top)) {
        await sweep(file, false);
        if (pruneEmptyDirs) await fs.rmdir(file).catch(() => {});
      } else if (entry.isFile()) {
        const stat = await fs.lstat(file).catch(() => null);
        if (stat && Date.now() - stat.mtimeMs > ttlMs) await fs.rm(file, { force: true });
      }
    }
  };
  await sweep(getMediaDir(), true);
}

/** The name that a stored file had before. @param {string} filePath @returns {string} */
export function extractOriginalFilename(filePath) {
  const name = path.basename(filePath);
  const found = /^(.+)---[a-f0-9]{8}(?:-[a-f0-9]{4}){3}-[a-f0-9]{12}(\.[^.]*)?$/i.exec(name);
  return found ? found[1] + (found[2] ?? '') : name || 'file.bin';
}
