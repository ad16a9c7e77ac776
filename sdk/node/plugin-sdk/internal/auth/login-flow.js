// Steps of a sign-in in the browser.
import { createHash, randomBytes } from 'node:crypto';
import { positiveSecondsToSafeMilliseconds, resolveExpiresAtMsFromDurationMs, resolveTimerTimeoutMs } from '../numbers.js';

/** @returns {Error} */
export const createOAuthLoginCancelledError = () => new Error('Login cancelled');
/** @param {AbortSignal | undefined} signal @returns {void} */
export function throwIfOAuthLoginAborted(signal) {
  if (signal?.aborted) throw createOAuthLoginCancelledError();
}
/** Waits for a step unless the sign-in is given up. @template T @param {Promise<T>} promise @param {AbortSignal} [signal] @param {() => void} [onAbort] @returns {Promise<T>} */
export async function withOAuthLoginAbort(promise, signal, onAbort) {
  if (!signal) return promise;
  const given = Promise.withResolvers();
  const abort = () => {
    onAbort?.();
    given.reject(createOAuthLoginCancelledError());
  };
  if (signal.aborted) abort();
  else signal.addEventListener('abort', abort, { once: true });
  promise.catch(() => {});
  try {
    return await Promise.race([promise, given.promise]);
  } finally {
    signal.removeEventListener('abort', abort);
    given.promise.catch(() => {});
  }
}
/** The end of a request: the caller's signal or a time in ms. @param {{timeoutMs: number, signal?: AbortSignal}} options @returns {AbortSignal} */
export function buildOAuthRequestSignal({ timeoutMs, signal }) {
  const limit = AbortSignal.timeout(resolveTimerTimeoutMs(timeoutMs, 0, 0));
  return signal ? AbortSignal.any([signal, limit]) : limit;
}
/** @returns {Promise<{verifier: string, challenge: string}>} */
export async function generatePKCE() {
  const verifier = randomBytes(32).toString('base64url');
  return { verifier, challenge: createHash('sha256').update(verifier).digest('base64url') };
}
/** What somebody pastes: an address, a query, `code#state` or the code alone. @param {string} input @returns {{code?: string, state?: string}} */
export function parseOAuthAuthorizationInput(input) {
  const text = input.trim();
  if (!text) return {};
  const from = (params) => ({ code: params.get('code') ?? undefined, state: params.get('state') ?? undefined });
  const url = URL.parse(text);
  if (url) return from(url.searchParams);
  if (text.includes('#')) {
    const [code, state] = text.split('#', 2);
    return { code, state };
  }
  return text.includes('code=') ? from(new URLSearchParams(text)) : { code: text };
}
/** How long a token lives, in ms. @param {unknown} value seconds @returns {number | undefined} */
export const resolveOAuthTokenLifetimeMs = (value) => positiveSecondsToSafeMilliseconds(value);
/** When it ends. @param {unknown} value seconds @param {{nowMs?: number, refreshSkewMs?: number}} [options] @returns {number | undefined} */
export function resolveOAuthTokenExpiresAt(value, options = {}) {
  const lifetime = resolveOAuthTokenLifetimeMs(value);
  return lifetime === undefined ? undefined : resolveExpiresAtMsFromDurationMs(lifetime, { nowMs: options.nowMs, bufferMs: options.refreshSkewMs });
}

const escaped = (text) => String(text).replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`);
const page = (title, message, details) =>
  `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>${escaped(title)}</title><style>body{font:16px system-ui;margin:15vh auto;max-width:34rem;padding:0 1rem}pre{white-space:pre-wrap}</style></head><body><h1>${escaped(title)}</h1><p>${escaped(message)}</p>${details ? `<pre>${escaped(details)}</pre>` : ''}</body></html>`;
/** The page after a sign-in. @param {string} message @returns {string} */
export const oauthSuccessHtml = (message) => page('Authentication successful', message);
/** The page after one that failed. @param {string} message @param {string} [details] @returns {string} */
export const oauthErrorHtml = (message, details) => page('Authentication failed', message, details);

/**
 * Which origin a page may call back from: one over https on the hosts.
 * @param {readonly string[] | undefined} allowedHosts
 * @returns {(origin: string | string[] | undefined) => string | undefined}
 */
export function buildOAuthCallbackOriginResolver(allowedHosts) {
  const hosts = (allowedHosts ?? []).map((host) => host.trim().toLowerCase()).filter(Boolean);
  return (origin) => {
    const url = URL.parse([origin].flat()[0] ?? '');
    return url?.protocol === 'https:' && hosts.includes(url.host) ? url.origin : undefined;
  };
}
