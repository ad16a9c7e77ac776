// Media of a message, from the network or from a file that may be read.
import fs from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { peer, plugins } from '../../../worker/state.js';
import { detectMime, extensionForMime, getFileExtension, kindFromMime, mimeTypeFromFilePath, sniffMime } from '../mime.js';
import { resolveUserPath } from '../paths.js';
import { fetchRemoteMedia } from './fetch.js';
import { maxBytesForKind } from './limits.js';
import { LocalMediaAccessError, assertLocalMediaAllowed } from './roots.js';
import { resolveMediaBufferPath } from './store.js';

const mb = (bytes, digits) => (bytes / (1024 * 1024)).toFixed(digits);
const DOCUMENTS = new Set(['.doc', '.docx', '.xls', '.xlsx', '.ppt', '.pptx', '.pdf', '.gz', '.7z', '.tar', '.zip']);
const TEXTS = new Set(['text/csv', 'text/markdown']);

function finish({ buffer, contentType, fileName }, maxBytes) {
  const kind = kindFromMime(contentType);
  const cap = maxBytes ?? maxBytesForKind(kind ?? 'document');
  if (buffer.length > cap) {
    throw new Error(`${contentType === 'image/gif' ? 'GIF' : 'Media'} exceeds ${mb(cap, 0)}MB limit (got ${mb(buffer.length, 2)}MB)`);
  }
  return { buffer, contentType, kind, fileName };
}

/** Whether bytes are text: valid UTF-8 without control characters. */
function isText(buffer) {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(buffer);
    return !/[\0-\x08\x0e-\x1f\x7f]/.test(text);
  } catch {
    return false;
  }
}

/** What a plugin reads with the host's rights must be what its name says. */
function checkHostRead(buffer, file) {
  const named = mimeTypeFromFilePath(file);
  const found = sniffMime(buffer);
  if (!TEXTS.has(named) && ['image', 'audio', 'video'].includes(kindFromMime(found))) return;
  if (!TEXTS.has(named) && found && DOCUMENTS.has(getFileExtension(file))) return;
  if (TEXTS.has(named) && !found && isText(buffer)) return;
  throw new LocalMediaAccessError(
    'path-not-allowed',
    `\`${path.basename(file)}\` is no image, audio, video, PDF, Office document, archive, CSV or Markdown file by its content (found \`${found ?? 'nothing known'}\`)`,
  );
}

async function localFile(source) {
  if (/^media:\/\//i.test(source)) {
    const parts = new URL(source);
    return resolveMediaBufferPath(decodeURIComponent(parts.pathname.slice(1)), parts.hostname);
  }
  if (!source.startsWith('file://')) return source.startsWith('~') ? resolveUserPath(source) : source;
  const url = new URL(source);
  if (url.host && url.host !== 'localhost') throw new LocalMediaAccessError('invalid-file-url', `\`${source}\` names another host`);
  return fileURLToPath(url);
}

/** What a plugin that hosts media makes of an address; the address itself where none knows it. */
async function hosted(source) {
  const pluginId = plugins.size === 1 ? plugins.keys().next().value : undefined;
  return (await peer?.request('host.media.resolveHosted', { pluginId, url: source }).catch(() => null)) || source;
}

async function readLocal(file) {
  const stat = await fs.stat(file).catch((cause) => {
    if (cause.code === 'ENOENT') throw new LocalMediaAccessError('not-found', `Local media file not found: ${file}`, { cause });
    throw new LocalMediaAccessError('invalid-path', `Local media path is not safe to read: ${file}`, { cause });
  });
  if (!stat.isFile()) throw new LocalMediaAccessError('not-file', `Local media path is not a file: ${file}`);
  if (stat.size > maxBytesForKind('document')) throw new Error(`Media exceeds ${mb(maxBytesForKind('document'), 0)}MB limit (got ${mb(stat.size, 2)}MB)`);
  return fs.readFile(file);
}

async function load(source, options) {
  const { maxBytes, optimizeImages, workspaceDir, localRoots, sandboxValidated, readFile, hostReadCapability } = options;
  const named = /^\s*media:\/\//i.test(source) ? source.trim() : source.replace(/^\s*MEDIA\s*:\s*/i, '');
  const text = named.trim() ? await hosted(named) : named;
  if (/^https?:\/\//i.test(text)) {
    const cap = maxBytesForKind('document');
    const limit = maxBytes === undefined ? cap : optimizeImages ? Math.max(maxBytes, cap) : maxBytes;
    const dispatcherPolicy = options.proxyUrl ? { mode: 'explicit-proxy', proxyUrl: options.proxyUrl, allowPrivateProxy: true } : undefined;
    return finish(await fetchRemoteMedia({ ...options, url: text, maxBytes: limit, dispatcherPolicy }), maxBytes);
  }
  let file = await localFile(text);
  if (workspaceDir && !path.isAbsolute(file)) file = path.resolve(workspaceDir, file);
  const free = sandboxValidated || localRoots === 'any';
  if (free && !readFile) throw new LocalMediaAccessError('unsafe-bypass', 'a load without roots needs `readFile`');
  if (!free) await assertLocalMediaAllowed(file, localRoots);
  const buffer = Buffer.from(readFile ? await readFile(file) : await readLocal(file));
  if (hostReadCapability) checkHostRead(buffer, file);
  const contentType = await detectMime({ buffer, filePath: file });
  const name = path.basename(file);
  return finish({ buffer, contentType, fileName: path.extname(name) ? name : name + (extensionForMime(contentType) ?? '') }, maxBytes);
}

const optionsOf = (given, more, optimizeImages) => ({ ...(typeof given === 'number' ? { maxBytes: given, ...more } : { ...given }), optimizeImages });

/**
 * Loads media. Images are sent as they are: this host has no image converter, so one that is too large is an error.
 * @param {string} mediaUrl @param {number | object} [maxBytesOrOptions] @param {object} [options]
 * @returns {Promise<{ buffer: Buffer, contentType?: string, kind?: string, fileName?: string }>}
 */
export const loadWebMedia = (mediaUrl, maxBytesOrOptions, options) =>
  load(mediaUrl, { ...optionsOf(maxBytesOrOptions, options, true), optimizeImages: maxBytesOrOptions?.optimizeImages ?? options?.optimizeImages ?? true });

/** The same, and never converts an image. @param {string} mediaUrl @param {number | object} [maxBytesOrOptions] @param {object} [options] */
export const loadWebMediaRaw = (mediaUrl, maxBytesOrOptions, options) => load(mediaUrl, optionsOf(maxBytesOrOptions, options, false));
