// What a webhook checks before it reads a request.
import {
  DEFAULT_WEBHOOK_MAX_BODY_BYTES, isJsonContentType, isRequestBodyLimitError, readJsonBodyWithLimit, readRequestBodyWithLimit, requestBodyErrorToText,
} from './http-body.js';
import { formatErrorMessage } from './error-text.js';

/** Limits of a body before and after the sender is known. */
export const WEBHOOK_BODY_READ_DEFAULTS = Object.freeze({
  preAuth: { maxBytes: 64 * 1024, timeoutMs: 5000 },
  postAuth: { maxBytes: DEFAULT_WEBHOOK_MAX_BODY_BYTES, timeoutMs: 30_000 },
});
/** How many requests of one key run at once. */
export const WEBHOOK_IN_FLIGHT_DEFAULTS = Object.freeze({ maxInFlightPerKey: 8, maxTrackedKeys: 4096 });
/** How refused requests are counted. */
export const WEBHOOK_ANOMALY_COUNTER_DEFAULTS = Object.freeze({ maxTrackedKeys: 4096, ttlMs: 6 * 60 * 60 * 1000, logEvery: 25 });
/** The answers that count as refused. */
export const WEBHOOK_ANOMALY_STATUS_CODES = Object.freeze([400, 401, 408, 413, 415, 429]);

const whole = (value, least) => Math.max(least, Math.floor(value));

/** Drops the oldest rows of a map beyond a size. */
function trim(map, size) {
  for (const key of map.keys()) {
    if (map.size <= size) break;
    map.delete(key);
  }
}

/**
 * Counts how many requests of a key are running.
 * @param {{maxInFlightPerKey?: number, maxTrackedKeys?: number}} [options]
 * @returns {{tryAcquire: (key: string) => boolean, release: (key: string) => void, size: () => number, clear: () => void}}
 */
export function createWebhookInFlightLimiter(options) {
  const { maxInFlightPerKey, maxTrackedKeys } = { ...WEBHOOK_IN_FLIGHT_DEFAULTS, ...options };
  const [most, keys] = [whole(maxInFlightPerKey, 1), whole(maxTrackedKeys, 1)];
  const running = new Map();
  return {
    tryAcquire(key) {
      const count = running.get(key) ?? 0;
      if (!key) return true;
      if (count >= most) return false;
      running.set(key, count + 1);
      trim(running, keys);
      return true;
    },
    release(key) {
      const count = running.get(key);
      if (!key || count === undefined) return;
      if (count > 1) running.set(key, count - 1);
      else running.delete(key);
    },
    size: () => running.size,
    clear: () => running.clear(),
  };
}

/**
 * Counts per key; a count is forgotten when it was not raised for `ttlMs`.
 * @param {{maxTrackedKeys: number, ttlMs?: number, pruneIntervalMs?: number}} options
 * @returns {{increment: (key: string, nowMs?: number) => number, size: () => number, clear: () => void}}
 */
export function createBoundedCounter(options) {
  const keys = whole(options.maxTrackedKeys, 1);
  const ttlMs = whole(options.ttlMs ?? 0, 0);
  const pruneEveryMs = whole(options.pruneIntervalMs ?? (ttlMs || 60_000), 1);
  const counts = new Map();
  let prunedAt = 0;
  const over = (row, now) => ttlMs > 0 && now - row.at >= ttlMs;
  return {
    increment(key, now = Date.now()) {
      if (!key) return 0;
      if (now - prunedAt >= pruneEveryMs) {
        for (const [other, row] of counts) if (over(row, now)) counts.delete(other);
        prunedAt = now;
      }
      const known = counts.get(key);
      const count = (known && !over(known, now) ? known.count : 0) + 1;
      counts.delete(key);
      counts.set(key, { count, at: now });
      trim(counts, keys);
      return count;
    },
    size: () => counts.size,
    clear() {
      counts.clear();
      prunedAt = 0;
    },
  };
}

/**
 * Counts refused requests and logs the first and then every so many.
 * @param {{maxTrackedKeys?: number, ttlMs?: number, logEvery?: number, trackedStatusCodes?: readonly number[]}} [options]
 * @returns {{record: (row: {key: string, statusCode: number, message: (count: number) => string, log?: (text: string) => void, nowMs?: number}) => number, size: () => number, clear: () => void}}
 */
export function createWebhookAnomalyTracker(options) {
  const { maxTrackedKeys, ttlMs, logEvery } = { ...WEBHOOK_ANOMALY_COUNTER_DEFAULTS, ...options };
  const codes = new Set(options?.trackedStatusCodes ?? WEBHOOK_ANOMALY_STATUS_CODES);
  const every = whole(logEvery, 1);
  const counter = createBoundedCounter({ maxTrackedKeys, ttlMs });
  return {
    record({ key, statusCode, message, log, nowMs }) {
      if (!codes.has(statusCode)) return 0;
      const count = counter.increment(key, nowMs);
      if (count === 1 || count % every === 0) log?.(message(count));
      return count;
    },
    size: counter.size,
    clear: counter.clear,
  };
}

function answer(res, status, text, headers = {}) {
  res.statusCode = status;
  for (const [name, value] of Object.entries(headers)) res.setHeader(name, value);
  res.end(text);
  return false;
}

/**
 * Checks method, rate and content type; answers when one does not fit.
 * @param {object} params `req`, `res`, and what to check: `allowMethods`, `rateLimiter` with `rateLimitKey`, `requireJsonContentType`
 * @returns {boolean} whether the request goes on
 */
export function applyBasicWebhookRequestGuards({ req, res, allowMethods, rateLimiter, rateLimitKey, nowMs, requireJsonContentType }) {
  if (allowMethods?.length && !allowMethods.includes(req.method ?? '')) return answer(res, 405, 'Method Not Allowed', { Allow: allowMethods.join(', ') });
  if (rateLimitKey && rateLimiter?.isRateLimited(rateLimitKey, nowMs ?? Date.now())) return answer(res, 429, 'Too Many Requests');
  if (requireJsonContentType && req.method === 'POST' && !isJsonContentType(req.headers['content-type'])) return answer(res, 415, 'Unsupported Media Type');
  return true;
}

/**
 * The same checks, and a place among the running requests of the key.
 * @param {object} params those of `applyBasicWebhookRequestGuards`, `inFlightLimiter`, `inFlightKey`, `inFlightLimitStatusCode`, `inFlightLimitMessage`
 * @returns {{ok: true, release: () => void} | {ok: false}}
 */
export function beginWebhookRequestPipelineOrReject(params) {
  if (!applyBasicWebhookRequestGuards(params)) return { ok: false };
  const { res, inFlightLimiter: limiter, inFlightKey: key } = params;
  const held = limiter && key;
  if (held && !limiter.tryAcquire(key)) {
    answer(res, params.inFlightLimitStatusCode ?? 429, params.inFlightLimitMessage ?? 'Too Many Requests');
    return { ok: false };
  }
  let done = false;
  const release = () => {
    if (held && !done) limiter.release(key);
    done = true;
  };
  return { ok: true, release };
}

function bodyLimits({ maxBytes, timeoutMs, profile }) {
  const base = WEBHOOK_BODY_READ_DEFAULTS[profile === 'pre-auth' ? 'preAuth' : 'postAuth'];
  const own = (value, fallback) => (Number.isFinite(value) && value > 0 ? Math.floor(value) : fallback);
  return { maxBytes: own(maxBytes, base.maxBytes), timeoutMs: own(timeoutMs, base.timeoutMs) };
}

function rejectBody(res, code, invalidMessage) {
  const status = { PAYLOAD_TOO_LARGE: 413, REQUEST_BODY_TIMEOUT: 408 }[code] ?? 400;
  answer(res, status, status === 400 && code !== 'CONNECTION_CLOSED' ? (invalidMessage ?? 'Bad Request') : requestBodyErrorToText(code));
  return { ok: false };
}

/**
 * Reads a webhook's body as text, or answers why not.
 * @param {object} params `req`, `res`, `profile` (`pre-auth` or `post-auth`), `maxBytes`, `timeoutMs`, `invalidBodyMessage`
 * @returns {Promise<{ok: true, value: string} | {ok: false}>}
 */
export async function readWebhookBodyOrReject(params) {
  try {
    return { ok: true, value: await readRequestBodyWithLimit(params.req, bodyLimits(params)) };
  } catch (error) {
    if (isRequestBodyLimitError(error)) return rejectBody(params.res, error.code, params.invalidBodyMessage);
    return rejectBody(params.res, 'INVALID_BODY', params.invalidBodyMessage ?? formatErrorMessage(error));
  }
}

/**
 * Reads a webhook's body as JSON, or answers why not.
 * @param {object} params `req`, `res`, `profile`, `maxBytes`, `timeoutMs`, `emptyObjectOnEmpty`, `invalidJsonMessage`
 * @returns {Promise<{ok: true, value: unknown} | {ok: false}>}
 */
export async function readJsonWebhookBodyOrReject(params) {
  const body = await readJsonBodyWithLimit(params.req, { ...bodyLimits(params), emptyObjectOnEmpty: params.emptyObjectOnEmpty });
  return body.ok ? { ok: true, value: body.value } : rejectBody(params.res, body.code, params.invalidJsonMessage);
}
