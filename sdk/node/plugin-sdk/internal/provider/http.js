// Requests to providers: time limits, long operations, uploads.
import path from 'node:path';
import { fetchWithSsrFGuard } from '../ssrf.js';
import { assertOkOrThrowHttpError } from './http-errors.js';

/** The time that a guarded request may take unless the caller says otherwise, in milliseconds. */
const DEFAULT_TIMEOUT_MS = 60_000;

/** Fetches, and gives up after a time in milliseconds. @param {string} url @param {RequestInit} init @param {number} timeoutMs @param {typeof fetch} [fetchFn] @returns {Promise<Response>} */
export async function fetchWithTimeout(url, init, timeoutMs, fetchFn = fetch) {
  const controller = new AbortController();
  const timer = setTimeout(() => controller.abort(Object.assign(new Error('request timed out'), { name: 'TimeoutError' })), Math.max(1, timeoutMs));
  try {
    return await fetchFn(url, { ...init, signal: controller.signal });
  } finally {
    clearTimeout(timer);
  }
}

/** The same under the address policy. The caller must call `release()`. @param {string} url @param {RequestInit} init @param {number | undefined} timeoutMs @param {typeof fetch} [fetchFn] @param {object} [options] */
export const fetchWithTimeoutGuarded = async (url, init, timeoutMs, fetchFn, options = {}) =>
  fetchWithSsrFGuard({
    url, init, fetchImpl: fetchFn, timeoutMs: timeoutMs > 0 && Number.isFinite(timeoutMs) ? timeoutMs : DEFAULT_TIMEOUT_MS,
    policy: options.ssrfPolicy, lookupFn: options.lookupFn, pinDns: options.pinDns, dispatcherPolicy: options.dispatcherPolicy,
    auditContext: options.auditContext, ...(options.mode ? { mode: options.mode } : {}),
  });

function post({ url, headers, timeoutMs, fetchFn, ...options }, body) {
  const ssrfPolicy = options.allowPrivateNetwork ? { ...options.ssrfPolicy, allowPrivateNetwork: true } : options.ssrfPolicy;
  return fetchWithTimeoutGuarded(url, { method: 'POST', headers, body }, timeoutMs, fetchFn, { ...options, ssrfPolicy });
}
/** Sends JSON. @param {{ url: string, headers: HeadersInit, body: unknown, timeoutMs?: number, fetchFn?: typeof fetch, allowPrivateNetwork?: boolean, ssrfPolicy?: object, dispatcherPolicy?: object }} params */
export const postJsonRequest = async ({ body, ...params }) => post(params, JSON.stringify(body));
/** Sends a form. @param {object} params as of `postJsonRequest`, with a body that is sent as it is */
export const postMultipartRequest = async ({ body, ...params }) => post(params, body);
export const postTranscriptionRequest = postMultipartRequest;

/** When an operation must be done. @param {{ timeoutMs?: number, label: string }} params @returns {{ label: string, timeoutMs?: number, deadlineAtMs?: number }} */
export function createProviderOperationDeadline({ timeoutMs, label }) {
  if (typeof timeoutMs !== 'number' || !Number.isFinite(timeoutMs) || timeoutMs <= 0) return { label };
  const whole = Math.floor(timeoutMs);
  return { deadlineAtMs: Date.now() + whole, label, timeoutMs: whole };
}

function timeLeft({ deadlineAtMs, label, timeoutMs }) {
  const left = typeof deadlineAtMs === 'number' ? deadlineAtMs - Date.now() : Infinity;
  if (left <= 0) throw new Error(`${label} timed out after ${timeoutMs}ms`);
  return left;
}
/** The time for one request of an operation. @param {{ deadline: object, defaultTimeoutMs: number }} params @returns {number} */
export const resolveProviderOperationTimeoutMs = ({ deadline, defaultTimeoutMs }) => {
  const left = timeLeft(deadline);
  return left === Infinity ? defaultTimeoutMs : Math.max(1, Math.min(defaultTimeoutMs, left));
};
/** Waits until the next look at an operation. @param {{ deadline: object, pollIntervalMs: number }} params @returns {Promise<void>} */
export async function waitProviderOperationPollInterval({ deadline, pollIntervalMs }) {
  const wait = Math.min(pollIntervalMs, timeLeft(deadline));
  await new Promise((resolve) => setTimeout(resolve, wait));
}

/** Looks at an operation until it is complete. @param {object} params @returns {Promise<any>} */
export async function pollProviderOperationJson(params) {
  for (let attempt = 0; attempt < params.maxAttempts; attempt++) {
    const response = await fetchWithTimeout(params.url, { method: 'GET', headers: params.headers }, resolveProviderOperationTimeoutMs(params), params.fetchFn);
    await assertOkOrThrowHttpError(response, params.requestFailedMessage);
    const payload = await response.json();
    if (params.isComplete(payload)) return payload;
    const failure = params.getFailureMessage?.(payload);
    if (failure) throw new Error(failure);
    await waitProviderOperationPollInterval(params);
  }
  throw new Error(params.timeoutMessage);
}

/** The name under which audio is uploaded. @param {string} [fileName] @param {string} [mime] @returns {string} */
export function resolveAudioTranscriptionUploadFileName(fileName, mime) {
  const name = fileName?.trim() ? path.basename(fileName.trim()) : 'audio';
  if (/\.aac$/i.test(name)) return `${name.slice(0, -4) || 'audio'}.m4a`;
  return !path.extname(name) && mime?.trim().toLowerCase() === 'audio/aac' ? `${name || 'audio'}.m4a` : name;
}

/** The form of a transcription. @param {{ buffer: Uint8Array, fileName?: string, mime?: string, fields?: Record<string, unknown> }} params @returns {FormData} */
export function buildAudioTranscriptionFormData({ buffer, fileName, mime, fields = {} }) {
  const form = new FormData();
  form.append('file', new Blob([new Uint8Array(buffer)], { type: mime ?? 'application/octet-stream' }), resolveAudioTranscriptionUploadFileName(fileName, mime));
  for (const [name, value] of Object.entries(fields)) {
    const text = value == null ? '' : String(value).trim();
    if (text) form.append(name, text);
  }
  return form;
}

/** The text of a transcription; none is an error. @param {string | undefined} value @param {string} missingMessage @returns {string} */
export function requireTranscriptionText(value, missingMessage) {
  const text = value?.trim();
  if (!text) throw new Error(missingMessage);
  return text;
}
