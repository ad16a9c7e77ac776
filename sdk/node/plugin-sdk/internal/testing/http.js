// Requests and responses of tests, without a network.
import { EventEmitter } from 'node:events';
import { createServer } from 'node:http';
import { resolveRequestUrl } from '../fetch-tools.js';
import { spy } from './spy.js';

/**
 * A request whose body comes in these pieces.
 * @param {string[]} chunks
 * @returns {object}
 */
export function createMockIncomingRequest(chunks) {
  const req = new EventEmitter();
  Object.assign(req, { destroyed: false, headers: {}, destroy: () => Object.assign(req, { destroyed: true }) });
  queueMicrotask(() => {
    for (const chunk of chunks) {
      req.emit('data', Buffer.from(chunk));
      if (req.destroyed) return;
    }
    req.emit('end');
  });
  return req;
}

/**
 * A response that keeps its status, headers and body.
 * @returns {object}
 */
export function createMockServerResponse() {
  const headers = {};
  const res = { headersSent: false, statusCode: 200 };
  res.setHeader = (name, value) => ((headers[name.toLowerCase()] = value), res);
  res.getHeader = (name) => headers[name.toLowerCase()];
  res.end = (body) => Object.assign(res, { headersSent: true, body });
  return res;
}

/**
 * Runs something with a server on loopback.
 * @param {import('node:http').RequestListener} handler
 * @param {(baseUrl: string) => Promise<void>} run
 * @returns {Promise<void>}
 */
export async function withServer(handler, run) {
  const server = createServer(handler);
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    await run(`http://127.0.0.1:${server.address().port}`);
  } finally {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
}

/**
 * @param {unknown} body
 * @param {number} [status]
 * @returns {Response}
 */
export const jsonResponse = (body, status = 200) => new Response(JSON.stringify(body), { status, headers: { 'Content-Type': 'application/json' } });

/**
 * @param {number} status
 * @param {unknown} body text as it is, other values as JSON
 * @returns {Response}
 */
export const makeResponse = (status, body) => (typeof body === 'string' ? new Response(body, { status }) : jsonResponse(body, status));

/**
 * @param {string | URL | Request} input
 * @returns {string}
 */
export const requestUrl = (input) => resolveRequestUrl(input);

/**
 * @param {unknown} body
 * @returns {string} `{}` for what is no text
 */
export const requestBodyText = (body) => (typeof body === 'string' ? body : '{}');

/**
 * A fetch of a test with the member that runtimes expect.
 * @param {Function} fn
 * @returns {typeof fetch}
 */
export const withFetchPreconnect = (fn) => Object.assign(fn, { preconnect() {}, __openclawAcceptsDispatcher: true });

/**
 * A fetch that answers always the same and remembers the last request.
 * @param {unknown} responseBody
 * @returns {{fetchFn: typeof fetch, getRequest: () => {url: string | null, init?: RequestInit}}}
 */
export function createRequestCaptureJsonFetch(responseBody) {
  let last = { url: null, init: undefined };
  const fetchFn = withFetchPreconnect(async (input, init) => {
    last = { url: resolveRequestUrl(input), init };
    return jsonResponse(responseBody);
  });
  return { fetchFn, getRequest: () => last };
}

/**
 * The same for the authorisation header.
 * @param {unknown} responseBody
 * @returns {{fetchFn: typeof fetch, getAuthHeader: () => string | null}}
 */
export function createAuthCaptureJsonFetch(responseBody) {
  const { fetchFn, getRequest } = createRequestCaptureJsonFetch(responseBody);
  return { fetchFn, getAuthHeader: () => new Headers(getRequest().init?.headers).get('authorization') };
}

/**
 * A fetch that answers by URL.
 * @param {(url: string, init?: RequestInit) => Promise<Response>} handler
 * @returns {typeof fetch}
 */
export const createProviderUsageFetch = (handler) => withFetchPreconnect(spy(async (input, init) => handler(resolveRequestUrl(input), init)));
