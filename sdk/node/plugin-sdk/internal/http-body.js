// Bodies of requests and responses, never larger than agreed.
import { normalizeOptionalLowercaseString } from './strings.js';
import { formatErrorMessage } from './error-text.js';

const PROBLEMS = {
  PAYLOAD_TOO_LARGE: { status: 413, message: 'PayloadTooLarge', text: 'Payload too large' },
  REQUEST_BODY_TIMEOUT: { status: 408, message: 'RequestBodyTimeout', text: 'Request body timeout' },
  CONNECTION_CLOSED: { status: 400, message: 'RequestBodyConnectionClosed', text: 'Connection closed' },
};

/** A body that was refused: `code` is `PAYLOAD_TOO_LARGE`, `REQUEST_BODY_TIMEOUT` or `CONNECTION_CLOSED`. */
export class RequestBodyLimitError extends Error {
  constructor({ code, message }) {
    super(message ?? PROBLEMS[code].message);
    this.name = 'RequestBodyLimitError';
    this.code = code;
    this.statusCode = PROBLEMS[code].status;
  }
}

/** The largest webhook body by default, in bytes. */
export const DEFAULT_WEBHOOK_MAX_BODY_BYTES = 1024 * 1024;
/** How long a webhook body may take by default. */
export const DEFAULT_WEBHOOK_BODY_TIMEOUT_MS = 30_000;

/**
 * @param {unknown} error
 * @param {string} [code] only this kind
 * @returns {boolean}
 */
export const isRequestBodyLimitError = (error, code) => error instanceof RequestBodyLimitError && (!code || error.code === code);

/**
 * @param {string} code
 * @returns {string} what the client is told
 */
export const requestBodyErrorToText = (code) => PROBLEMS[code]?.text;

const positive = (value, fallback) => (Number.isFinite(value) ? Math.max(1, Math.floor(value)) : fallback);
const limitsOf = ({ maxBytes, timeoutMs }) => ({ maxBytes: positive(maxBytes, 1), timeoutMs: positive(timeoutMs, DEFAULT_WEBHOOK_BODY_TIMEOUT_MS) });

function declaredLength(req) {
  const header = req.headers?.['content-length'];
  const length = Number.parseInt((Array.isArray(header) ? header[0] : header) ?? '', 10);
  return Number.isFinite(length) && length >= 0 ? length : undefined;
}

const toBuffer = (chunk) => (Buffer.isBuffer(chunk) ? chunk : Buffer.from(chunk));

/** Follows a body until it ends or is refused: `end()`, or `fail(error)` once. */
function follow(req, { maxBytes, timeoutMs }, { data, end, fail, closed }) {
  let total = 0;
  let active = true;
  const stop = () => {
    if (!active) return false;
    active = false;
    clearTimeout(timer);
    for (const [event, listener] of Object.entries(listeners)) req.removeListener(event, listener);
    return true;
  };
  const refuse = (code) => {
    if (!stop()) return;
    fail(new RequestBodyLimitError({ code }));
    if (!req.destroyed) req.destroy();
  };
  const listeners = {
    data(chunk) {
      const buffer = toBuffer(chunk);
      total += buffer.length;
      if (total > maxBytes) refuse('PAYLOAD_TOO_LARGE');
      else data?.(buffer);
    },
    end: () => stop() && end?.(),
    error: (error) => stop() && closed?.(error),
    close: () => stop() && closed?.(new RequestBodyLimitError({ code: 'CONNECTION_CLOSED' })),
  };
  const timer = setTimeout(() => refuse('REQUEST_BODY_TIMEOUT'), timeoutMs);
  for (const [event, listener] of Object.entries(listeners)) req.on(event, listener);
  if (declaredLength(req) > maxBytes) refuse('PAYLOAD_TOO_LARGE');
  return stop;
}

/**
 * Reads a request's body as text.
 * @param {import('node:http').IncomingMessage} req
 * @param {{maxBytes: number, timeoutMs?: number, encoding?: BufferEncoding}} options
 * @returns {Promise<string>} rejects with a `RequestBodyLimitError`
 */
export function readRequestBodyWithLimit(req, options) {
  return new Promise((resolve, reject) => {
    const chunks = [];
    follow(req, limitsOf(options), {
      data: (chunk) => chunks.push(chunk),
      end: () => resolve(Buffer.concat(chunks).toString(options.encoding ?? 'utf-8')),
      fail: reject,
      closed: reject,
    });
  });
}

/**
 * Reads a request's body as JSON.
 * @param {import('node:http').IncomingMessage} req
 * @param {{maxBytes: number, timeoutMs?: number, emptyObjectOnEmpty?: boolean}} options
 * @returns {Promise<{ok: true, value: unknown} | {ok: false, code: string, error: string}>}
 */
export async function readJsonBodyWithLimit(req, options) {
  const invalid = (error) => ({ ok: false, code: 'INVALID_JSON', error });
  try {
    const text = (await readRequestBodyWithLimit(req, options)).trim();
    if (!text) return options.emptyObjectOnEmpty === false ? invalid('empty payload') : { ok: true, value: {} };
    return { ok: true, value: JSON.parse(text) };
  } catch (error) {
    if (!isRequestBodyLimitError(error)) return invalid(formatErrorMessage(error));
    return { ok: false, code: error.code, error: requestBodyErrorToText(error.code) };
  }
}

/**
 * Watches a request that somebody else reads: a body that is too large or too slow gets an answer and is cut off.
 * @param {import('node:http').IncomingMessage} req
 * @param {import('node:http').ServerResponse} res
 * @param {{maxBytes: number, timeoutMs?: number, responseFormat?: 'json' | 'text', responseText?: Record<string, string>}} options
 * @returns {{dispose: () => void, isTripped: () => boolean, code: () => string | null}}
 */
export function installRequestBodyLimitGuard(req, res, options) {
  let code = null;
  const answer = (error) => {
    code = error.code;
    if (res.headersSent) return;
    const text = options.responseText?.[code] ?? requestBodyErrorToText(code);
    const plain = options.responseFormat === 'text';
    res.statusCode = error.statusCode;
    res.setHeader('Content-Type', `${plain ? 'text/plain' : 'application/json'}; charset=utf-8`);
    res.end(plain ? text : JSON.stringify({ error: text }));
  };
  const stop = follow(req, limitsOf(options), { fail: answer });
  return { dispose: () => void stop(), isTripped: () => code !== null, code: () => code };
}

/**
 * @param {string | string[] | undefined} value a content type
 * @returns {boolean}
 */
export function isJsonContentType(value) {
  const type = normalizeOptionalLowercaseString([value].flat()[0]?.split(';')[0]);
  return type === 'application/json' || Boolean(type?.endsWith('+json'));
}

const tooLarge = ({ size, maxBytes }) => new Error(`Content too large: ${size} bytes (limit: ${maxBytes} bytes)`);

/** The next chunk, or a failure when it does not come in time. */
async function nextChunk(reader, timeoutMs, onIdle) {
  if (!(timeoutMs > 0)) return reader.read();
  let timer;
  const idle = new Promise((_, reject) => {
    timer = setTimeout(() => reject(onIdle?.({ chunkTimeoutMs: timeoutMs }) ?? new Error(`Media download stalled: no data received for ${timeoutMs}ms`)), timeoutMs);
  });
  try {
    return await Promise.race([reader.read(), idle]);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Reads a response up to a limit; more is an error and ends the transfer.
 * @param {Response} res
 * @param {number} maxBytes
 * @param {{chunkTimeoutMs?: number, onOverflow?: (info: {size: number, maxBytes: number, res: Response}) => Error, onIdleTimeout?: (info: {chunkTimeoutMs: number}) => Error}} [options]
 * @returns {Promise<Buffer>}
 */
export async function readResponseWithLimit(res, maxBytes, { chunkTimeoutMs, onOverflow = tooLarge, onIdleTimeout } = {}) {
  const check = (size) => {
    if (size > maxBytes) throw onOverflow({ size, maxBytes, res });
  };
  if (!res.body?.getReader) {
    const whole = Buffer.from(await res.arrayBuffer());
    check(whole.length);
    return whole;
  }
  const reader = res.body.getReader();
  const chunks = [];
  let total = 0;
  try {
    for (;;) {
      const { done, value } = await nextChunk(reader, chunkTimeoutMs, onIdleTimeout);
      if (done) return Buffer.concat(chunks, total);
      total += value.byteLength;
      check(total);
      chunks.push(value);
    }
  } catch (error) {
    await reader.cancel(error).catch(() => {});
    throw error;
  }
}

/**
 * Reads a stream of bytes up to a limit.
 * @param {AsyncIterable<Uint8Array | string>} stream
 * @param {{maxBytes: number, onOverflow?: (info: {size: number, maxBytes: number}) => Error}} options
 * @returns {Promise<Buffer>}
 */
export async function readByteStreamWithLimit(stream, { maxBytes, onOverflow = tooLarge }) {
  if (!Number.isFinite(maxBytes) || maxBytes < 0) throw new RangeError(`maxBytes must be a non-negative finite number: ${maxBytes}`);
  const chunks = [];
  let size = 0;
  for await (const chunk of stream) {
    const buffer = toBuffer(chunk);
    size += buffer.length;
    if (size > maxBytes) throw onOverflow({ size, maxBytes });
    chunks.push(buffer);
  }
  return Buffer.concat(chunks, size);
}
