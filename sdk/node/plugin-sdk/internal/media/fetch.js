// Media from the network, under the address policy and within size limits.
import path from 'node:path';
import { formatErrorMessage } from '../error-text.js';
import { readResponseWithLimit } from '../http-body.js';
import { detectMime, extensionForMime } from '../mime.js';
import { redactSensitiveText } from '../redact.js';
import { fetchWithSsrFGuard } from '../ssrf.js';
import { DEFAULT_FETCH_MEDIA_MAX_BYTES, parseMediaContentLength } from './limits.js';

/** Media that could not be fetched: `fetch_failed`, `http_error` or `max_bytes`. */
export class MediaFetchError extends Error {
  /** @param {string} code @param {string} message @param {{ cause?: unknown, status?: number }} [options] */
  constructor(code, message, options) {
    super(message, options);
    this.name = 'MediaFetchError';
    this.code = code;
    if (options?.status !== undefined) this.status = options.status;
  }
}

/** Reads one chunk, or fails when none comes in time. */
function readChunk(reader, idleMs, onIdleTimeout) {
  if (!idleMs) return reader.read();
  let timer;
  const idle = new Promise((_, reject) => {
    timer = setTimeout(() => {
      reader.cancel().catch(() => {});
      reject(onIdleTimeout?.({ chunkTimeoutMs: idleMs }) ?? new Error(`Media download stalled: no data received for ${idleMs}ms`));
    }, idleMs);
  });
  return Promise.race([reader.read(), idle]).finally(() => clearTimeout(timer));
}

/** The first bytes of a body, how many were seen, and whether there were more. */
async function readPrefix(response, maxBytes, { chunkTimeoutMs, onIdleTimeout } = {}) {
  if (typeof response.body?.getReader !== 'function') {
    const whole = Buffer.from(await response.arrayBuffer());
    return { buffer: whole.subarray(0, maxBytes), size: whole.length, truncated: whole.length > maxBytes };
  }
  const reader = response.body.getReader();
  const chunks = [];
  let size = 0;
  for (;;) {
    const { done, value } = await readChunk(reader, chunkTimeoutMs, onIdleTimeout);
    if (done) return { buffer: Buffer.concat(chunks), size, truncated: false };
    if (!value?.length) continue;
    const room = maxBytes - size;
    size += value.length;
    chunks.push(value.subarray(0, room));
    if (value.length > room) {
      await reader.cancel().catch(() => {});
      return { buffer: Buffer.concat(chunks), size, truncated: true };
    }
  }
}

/** The start of a body as one line of text. @param {Response} response @param {{ maxBytes?: number, maxChars?: number, chunkTimeoutMs?: number }} [options] @returns {Promise<string | undefined>} */
export async function readResponseTextSnippet(response, { maxBytes = 8192, maxChars = 200, ...options } = {}) {
  const { buffer, truncated } = await readPrefix(response, maxBytes, options);
  const text = new TextDecoder().decode(buffer).replace(/\s+/g, ' ').trim();
  if (!text) return undefined;
  return text.length > maxChars ? `${text.slice(0, maxChars)}…` : truncated ? `${text}…` : text;
}

const unquoted = (text) => text.trim().replace(/^["']|["']$/g, '');
const baseName = (name) => path.posix.basename(name.replaceAll('\\', '/'));

/** The file name of a `Content-Disposition` header. */
function dispositionName(header) {
  const extended = /filename\*\s*=\s*([^;]+)/i.exec(header ?? '')?.[1];
  if (extended) {
    const text = unquoted(extended).replace(/^[^']*'[^']*'/, '');
    try {
      return baseName(decodeURIComponent(text));
    } catch {
      return baseName(text);
    }
  }
  const plain = /filename\s*=\s*([^;]+)/i.exec(header ?? '')?.[1];
  return plain && baseName(unquoted(plain));
}

function urlName(url) {
  if (!URL.canParse(url)) return undefined;
  const name = baseName(new URL(url).pathname);
  try {
    return decodeURIComponent(name).replace(/[\\/]/g, '_') || undefined;
  } catch {
    return name || undefined;
  }
}

async function request(options) {
  const shown = redactSensitiveText(options.url);
  const attempts = options.dispatcherAttempts?.length ? options.dispatcherAttempts : [{ dispatcherPolicy: options.dispatcherPolicy, lookupFn: options.lookupFn }];
  const errors = [];
  for (const attempt of attempts) {
    try {
      const { response, finalUrl, release } = await fetchWithSsrFGuard({
        url: options.url, fetchImpl: options.fetchImpl, init: options.requestInit, maxRedirects: options.maxRedirects, timeoutMs: options.timeoutMs,
        policy: options.ssrfPolicy, lookupFn: attempt.lookupFn ?? options.lookupFn, dispatcherPolicy: attempt.dispatcherPolicy,
      });
      return { response, finalUrl, release, shown };
    } catch (error) {
      errors.push(error);
      if (!options.shouldRetryFetchError?.(error)) break;
    }
  }
  const cause = errors.length > 1 ? Object.assign(new Error(`Primary fetch failed and fallback fetch also failed for ${shown}`, { cause: errors.at(-1) }), { primaryError: errors[0], attemptErrors: errors }) : errors[0];
  throw new MediaFetchError('fetch_failed', `Failed to fetch media from ${shown}: ${formatErrorMessage(cause)}`, { cause });
}

async function checkStatus({ response, finalUrl, shown }, options) {
  if (response.ok) return;
  const status = `HTTP ${response.status}${response.statusText ? ` ${response.statusText}` : ''}`;
  const snippet = response.body ? await readResponseTextSnippet(response, { chunkTimeoutMs: options.readIdleTimeoutMs }).catch(() => undefined) : undefined;
  const detail = response.body ? status + (snippet ? `; body: ${snippet}` : '') : `${status}; empty response body`;
  const moved = finalUrl === options.url ? '' : ` (redirected to ${redactSensitiveText(finalUrl)})`;
  throw new MediaFetchError('http_error', `Failed to fetch media from ${shown}${moved}: ${redactSensitiveText(detail)}`, { status: response.status });
}

async function checkLength({ response, shown }, maxBytes) {
  let length;
  try {
    length = parseMediaContentLength(response.headers.get('content-length'));
  } catch (cause) {
    await response.body?.cancel().catch(() => {});
    throw new MediaFetchError('http_error', `Failed to fetch media from ${shown}: ${cause.message}`, { cause });
  }
  if (length === null || length <= maxBytes) return;
  await response.body?.cancel().catch(() => {});
  throw new MediaFetchError('max_bytes', `Failed to fetch media from ${shown}: content length ${length} exceeds maxBytes ${maxBytes}`);
}

async function readOnce(options) {
  const answer = await request(options);
  try {
    await checkStatus(answer, options);
    return await readBody(answer, options);
  } finally {
    await answer.release();
  }
}

async function readBody(answer, options) {
  const { response, finalUrl, shown } = answer;
  const maxBytes = options.maxBytes ?? DEFAULT_FETCH_MEDIA_MAX_BYTES;
  await checkLength(answer, maxBytes);
  const tooLarge = () => new MediaFetchError('max_bytes', `Failed to fetch media from ${shown}: payload exceeds maxBytes ${maxBytes}`);
  const buffer = await readResponseWithLimit(response, maxBytes, { onOverflow: tooLarge, chunkTimeoutMs: options.readIdleTimeoutMs }).catch((cause) => {
    if (cause instanceof MediaFetchError) throw cause;
    throw new MediaFetchError('fetch_failed', `Failed to fetch media from ${shown}: ${formatErrorMessage(cause)}`, { cause });
  });
  const headerName = dispositionName(response.headers.get('content-disposition'));
  const named = headerName && path.extname(headerName) ? headerName : options.filePathHint ?? finalUrl;
  const contentType = await detectMime({ buffer, headerMime: response.headers.get('content-type') ?? options.fallbackContentType, filePath: named });
  let fileName = headerName || urlName(finalUrl) || (options.filePathHint && baseName(options.filePathHint)) || undefined;
  if (fileName && !path.extname(fileName)) fileName += extensionForMime(contentType) ?? '';
  return { buffer, contentType, fileName };
}

const worthRetrying = (error) =>
  (error.code === 'http_error' && (error.status === 408 || error.status >= 500)) || (error.code === 'fetch_failed' && error.cause?.name !== 'AbortError' && error.cause?.name !== 'SsrFBlockedError');

/**
 * Fetches media: its bytes, kind and name. With `retry` it tries again after a passing failure.
 * @param {object} options `url`, `maxBytes`, `filePathHint`, `requestInit`, `ssrfPolicy`, `retry` and the like
 * @returns {Promise<{ buffer: Buffer, contentType?: string, fileName?: string }>}
 */
export async function fetchRemoteMedia(options) {
  const { attempts = options.retry ? 3 : 1, minDelayMs = 300, maxDelayMs = 30_000, shouldRetry } = options.retry ?? {};
  for (let attempt = 1; ; attempt++) {
    try {
      return await readOnce(options);
    } catch (error) {
      const again = attempt < attempts && (shouldRetry ? shouldRetry(error, attempt) : worthRetrying(error));
      if (!again) throw error;
      await new Promise((resolve) => setTimeout(resolve, Math.min(minDelayMs * 2 ** (attempt - 1), maxDelayMs)));
    }
  }
}
export const readRemoteMediaBuffer = fetchRemoteMedia;

/** The media of a response that is there already. @param {Response} response @param {object} options @returns {Promise<{ buffer: Buffer, contentType?: string, fileName?: string }>} */
export async function readMediaResponse(response, options) {
  const url = options.url ?? response.url ?? '';
  const answer = { response, finalUrl: response.url || url, shown: redactSensitiveText(url) };
  await checkStatus(answer, { ...options, url });
  return readBody(answer, options);
}
