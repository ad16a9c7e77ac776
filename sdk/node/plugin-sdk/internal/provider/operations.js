// Requests of long operations: repeated where that is safe, and answers of the right kind.
import { sleepWithAbort } from '../async-tools.js';
import { formatErrorMessage } from '../error-text.js';
import { readResponseWithLimit } from '../http-body.js';
import { asObject, assertOkOrThrowHttpError, readProviderJsonResponse } from './http-errors.js';
import { fetchWithTimeout, resolveProviderOperationTimeoutMs } from './http.js';

/** The usual way to repeat, times in ms, and the largest file in bytes. */
const USUAL = { attempts: 2, baseDelayMs: 250, maxDelayMs: 1000 };
const LARGEST = 512 * 1024 * 1024;
/** Time for one request when nothing is said, in ms. */
const REQUEST_TIMEOUT = 60_000;

/** What is repeated: everything but what makes something new. @param {'create' | 'poll' | 'download' | string} stage @param {any} [options] @returns {any} */
export const providerOperationRetryConfig = (stage, options) => options ?? (stage === 'create' ? undefined : true);
function passing(error, message) {
  const status = [error?.status, error?.statusCode].find(Number.isInteger);
  if (status !== undefined) return [500, 502, 503, 504].includes(status);
  if (/\b(?:400|401|403|404)\b|\b(?:invalid api key|permission denied|model not found|validation|unsupported model)\b/i.test(message)) return false;
  return /\b(?:500|502|503|504)\b|\b(?:ECONNRESET|ECONNREFUSED|ETIMEDOUT|EAI_AGAIN|ENETUNREACH|EPIPE|socket hang up|time(?:d)?[ -]?out)\b/i.test(`${message} ${error?.code ?? ''} ${error?.cause?.code ?? ''}`);
}
const wait = ({ baseDelayMs = 250, maxDelayMs = 1000 }, attempt) => {
  const base = Math.max(0, Math.round(Number.isFinite(baseDelayMs) ? baseDelayMs : 250));
  return Math.min(Math.max(base, Math.round(Number.isFinite(maxDelayMs) ? maxDelayMs : 1000)), base * 2 ** (attempt - 1));
};
/** Runs a step and repeats it after what passes by itself. @template T @param {{stage: string, operation: () => Promise<T>, retry?: any, provider?: string}} params @returns {Promise<T>} */
export async function executeProviderOperationWithRetry({ stage, operation, retry, provider }) {
  const wish = providerOperationRetryConfig(stage, retry);
  const options = wish === true ? USUAL : wish || undefined;
  const attempts = options && Number.isSafeInteger(options.attempts) ? Math.max(1, options.attempts) : 1;
  for (let attemptNumber = 1; ; attemptNumber++) {
    try {
      return await operation();
    } catch (error) {
      const message = formatErrorMessage(error);
      const again = options?.shouldRetry ? options.shouldRetry({ error, message, provider, apiKeyIndex: 0, attemptNumber, stage }) : passing(error, message);
      if (attemptNumber >= attempts || options.signal?.aborted || !again) throw error;
      await (options.sleep ?? sleepWithAbort)(wait(options, attemptNumber), options.signal);
    }
  }
}
/** @param {any} params `stage`, `url`, `init`, `timeoutMs`, `fetchFn`, `provider`, `requestFailedMessage`, `retry` @returns {Promise<Response>} */
export const fetchProviderOperationResponse = ({ stage, url, init = {}, timeoutMs, fetchFn, provider = 'provider-http', requestFailedMessage, retry }) =>
  executeProviderOperationWithRetry({
    provider, stage, retry,
    async operation() {
      const response = await fetchWithTimeout(url, init, (typeof timeoutMs === 'function' ? timeoutMs() : timeoutMs) ?? REQUEST_TIMEOUT, fetchFn);
      if (requestFailedMessage) await assertOkOrThrowHttpError(response, requestFailedMessage);
      return response;
    },
  });
/** The same for a file. @param {any} params @returns {Promise<Response>} */
export const fetchProviderDownloadResponse = (params) => fetchProviderOperationResponse({ ...params, stage: 'download' });
/** The time that is left, asked anew for each request. @param {any} params @returns {() => number} */
export const createProviderOperationTimeoutResolver = (params) => () => resolveProviderOperationTimeoutMs(params);

const malformed = (label, kind) => new Error(`${label}: malformed ${kind} response`);
/** Refuses text where bytes are due. @param {Response} response @param {string} label @param {string} [kind] @returns {void} */
export function assertProviderBinaryResponseContent(response, label, kind = 'binary') {
  const type = response.headers.get('content-type')?.split(';')[0].trim().toLowerCase() ?? '';
  if (type === 'application/json' || type.endsWith('+json') || type.startsWith('text/')) throw malformed(label, kind);
}
/** Bytes within a limit. @param {Response} response @param {string} label @param {string} [kind] @param {{maxBytes?: number}} [options] @returns {Promise<Buffer>} */
export async function readProviderBinaryResponse(response, label, kind = 'binary', { maxBytes = LARGEST } = {}) {
  assertProviderBinaryResponseContent(response, label, kind);
  const bytes = await readResponseWithLimit(response, maxBytes, { onOverflow: ({ maxBytes: most }) => new Error(`${label}: ${kind} response exceeds ${most} bytes`) });
  if (bytes.byteLength === 0) throw malformed(label, kind);
  return bytes;
}
/** @param {Response} response @param {string} label @returns {Promise<Record<string, any>>} */
export async function readProviderJsonObjectResponse(response, label) {
  const value = asObject(await readProviderJsonResponse(response, label));
  if (!value) throw malformed(label, 'JSON');
  return value;
}
/** @param {Response} response @param {string} label @param {string} field @returns {Promise<any[]>} */
export async function readProviderJsonArrayFieldResponse(response, label, field) {
  const value = (await readProviderJsonObjectResponse(response, label))[field];
  if (!Array.isArray(value)) throw malformed(label, 'JSON');
  return value;
}
