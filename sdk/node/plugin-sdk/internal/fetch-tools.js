// Variants of fetch.
import { createHttp1ProxyAgent } from './dispatchers.js';

/** Where a fetch through a proxy keeps the proxy's address. */
export const PROXY_FETCH_PROXY_URL = Symbol.for('openclaw.proxyFetch.proxyUrl');
const WRAPPED = Symbol.for('openclaw.fetch.abortSignalWrapped');

/**
 * The URL of what fetch takes.
 * @param {unknown} input
 * @returns {string} empty for anything else
 */
export function resolveRequestUrl(input) {
  if (typeof input === 'string') return input;
  if (input instanceof URL) return input.href;
  return typeof input?.url === 'string' ? input.url : '';
}

/**
 * A fetch that goes through a proxy.
 * @param {string} proxyUrl
 * @returns {typeof fetch}
 */
export function makeProxyFetch(proxyUrl) {
  let dispatcher;
  const proxyFetch = (input, init) => fetch(input, { ...init, dispatcher: (dispatcher ??= createHttp1ProxyAgent(proxyUrl)) });
  return Object.defineProperty(proxyFetch, PROXY_FETCH_PROXY_URL, { value: proxyUrl });
}

/**
 * The proxy that a fetch of `makeProxyFetch` uses.
 * @param {Function | undefined} fetchImpl
 * @returns {string | undefined}
 */
export const getProxyUrlFromFetch = (fetchImpl) => (typeof fetchImpl?.[PROXY_FETCH_PROXY_URL] === 'string' && fetchImpl[PROXY_FETCH_PROXY_URL].trim()) || undefined;

/** Signals of other libraries are no `AbortSignal` and are passed on through one. */
function nativeSignal(signal) {
  if (!signal || signal instanceof AbortSignal || typeof signal.addEventListener !== 'function') return { signal };
  const controller = new AbortController();
  const relay = () => controller.abort(signal.reason);
  if (signal.aborted) relay();
  else signal.addEventListener('abort', relay, { once: true });
  return { signal: controller.signal, cleanup: () => signal.removeEventListener?.('abort', relay) };
}

/** Fetch wants to know that a streamed body is only half a conversation. */
function withDuplex(init, input) {
  const body = init?.body ?? (input instanceof Request ? input.body : undefined);
  return body == null || init?.duplex ? init : { ...init, duplex: 'half' };
}

/**
 * A fetch that takes any abort signal and any body.
 * @param {typeof fetch} fetchImpl
 * @returns {typeof fetch}
 */
export function wrapFetchWithAbortSignal(fetchImpl) {
  if (fetchImpl[WRAPPED]) return fetchImpl;
  const wrapped = (input, init) => {
    const patched = withDuplex(init, input);
    const { signal, cleanup } = nativeSignal(patched?.signal);
    if (!cleanup) return fetchImpl(input, patched);
    try {
      return fetchImpl(input, { ...patched, signal }).finally(cleanup);
    } catch (error) {
      cleanup();
      throw error;
    }
  };
  Object.assign(wrapped, fetchImpl);
  wrapped.preconnect = typeof fetchImpl.preconnect === 'function' ? fetchImpl.preconnect.bind(fetchImpl) : () => {};
  return Object.defineProperty(wrapped, WRAPPED, { value: true });
}

/**
 * @param {typeof fetch} [fetchImpl]
 * @returns {typeof fetch | undefined}
 */
export function resolveFetch(fetchImpl) {
  const chosen = fetchImpl ?? globalThis.fetch;
  return chosen && wrapFetchWithAbortSignal(chosen);
}

/**
 * Whether a fetch is a stand-in of a test.
 * @param {unknown} fetchImpl
 * @returns {boolean}
 */
export const isMockedFetch = (fetchImpl) => typeof fetchImpl === 'function' && typeof fetchImpl.mock === 'object' && fetchImpl.mock !== null;

/**
 * Fetches with the dispatcher in `init`.
 * @param {RequestInfo | URL} input
 * @param {RequestInit & {dispatcher?: object}} [init]
 * @returns {Promise<Response>}
 */
export const fetchWithRuntimeDispatcher = (input, init) => fetch(input, init);

/**
 * The same; a fetch that a test put in place is used as it is.
 * @param {RequestInfo | URL} input
 * @param {RequestInit & {dispatcher?: object}} [init]
 * @returns {Promise<Response>}
 */
export const fetchWithRuntimeDispatcherOrMockedGlobal = (input, init) => globalThis.fetch(input, init);

/**
 * Parameters of a guarded fetch that may use the proxy of the environment.
 * @param {object} params
 * @returns {object}
 */
export const withTrustedEnvProxyGuardedFetchMode = (params) => ({ ...params, mode: 'trusted_env_proxy' });
