// Requests of web tools, and their bodies as text.
import { withTrustedEnvProxyGuardedFetchMode } from '../fetch-tools.js';
import { fetchWithSsrFGuard } from '../ssrf.js';

/** @typedef {{url: string, init?: RequestInit, timeoutSeconds?: number, timeoutMs?: number, signal?: AbortSignal}} WebRequest */

const SELF_HOSTED = { dangerouslyAllowPrivateNetwork: true, allowRfc2544BenchmarkRange: true, allowIpv6UniqueLocalRange: true };
/** How much of an error's body is read, in bytes. */
const MAX_ERROR_BYTES = 64_000;
/** How much of a page is looked at for its character set, in bytes. */
const CHARSET_HEAD_BYTES = 4096;

async function within({ timeoutSeconds, ...params }, run) {
  const seconds = Number.isFinite(timeoutSeconds) ? timeoutSeconds * 1000 : undefined;
  const { response, finalUrl, release } = await fetchWithSsrFGuard({ ...params, timeoutMs: Number.isFinite(params.timeoutMs) ? params.timeoutMs : seconds });
  try {
    return await run({ response, finalUrl });
  } finally {
    await release();
  }
}

/** Asks an address that anyone may have named: nothing in the own network. @template T @param {WebRequest} params @param {(answer: {response: Response, finalUrl: string}) => T | Promise<T>} run @returns {Promise<T>} */
export const withStrictWebToolsEndpoint = (params, run) => within(params, run);

/** Asks a service of the own network. @template T @param {WebRequest} params @param {(answer: {response: Response, finalUrl: string}) => T | Promise<T>} run @returns {Promise<T>} */
export const withSelfHostedWebToolsEndpoint = (params, run) => within(withTrustedEnvProxyGuardedFetchMode({ ...params, policy: SELF_HOSTED }), run);

/** Asks a well-known service: its host only, by the environment's proxy if there is one. @template T @param {WebRequest} params @param {(answer: {response: Response, finalUrl: string}) => T | Promise<T>} run @returns {Promise<T>} */
export async function withTrustedWebToolsEndpoint(params, run) {
  const url = URL.canParse(params.url.trim()) ? new URL(params.url.trim()) : undefined;
  const policy = url && /^https?:$/.test(url.protocol) ? { allowRfc2544BenchmarkRange: true, allowIpv6UniqueLocalRange: true, hostnameAllowlist: [url.hostname] } : {};
  return within(withTrustedEnvProxyGuardedFetchMode({ ...params, policy }), run);
}

const searchRequest = ({ url, init, timeoutSeconds, signal }) => ({ url, init, timeoutSeconds, signal });
/** Searches with a well-known service. @template T @param {WebRequest} params @param {(response: Response) => Promise<T>} run @returns {Promise<T>} */
export const withTrustedWebSearchEndpoint = (params, run) => withTrustedWebToolsEndpoint(searchRequest(params), ({ response }) => run(response));
/** Searches with a service of the own network. @template T @param {WebRequest} params @param {(response: Response) => Promise<T>} run @returns {Promise<T>} */
export const withSelfHostedWebSearchEndpoint = (params, run) => withSelfHostedWebToolsEndpoint(searchRequest(params), ({ response }) => run(response));

const charsetName = (value) => {
  const name = value?.trim().replace(/^["']|["']$/g, '') ?? '';
  return name.length <= 64 && /^[\w.:-]+$/.test(name) ? name : undefined;
};
const charsetParam = (value) => charsetName(/(?:^|;)\s*charset\s*=\s*(?:"([^"]+)"|'([^']+)'|([^;\s]+))/i.exec(value ?? '')?.slice(1).find(Boolean));
const attribute = (tag, name) => new RegExp(`\\b${name}\\s*=\\s*(?:"([^"]*)"|'([^']*)'|([^\\s>]+))`, 'i').exec(tag)?.slice(1).find((value) => value !== undefined);

/** The character set of a body: what the header says, else its first bytes, else what the document says of itself. */
function charsetOf(type, bytes) {
  const [first, second, third] = bytes;
  if (first === 0xef && second === 0xbb && third === 0xbf) return 'utf-8';
  if (first === 0xff && second === 0xfe) return 'utf-16le';
  if (first === 0xfe && second === 0xff) return 'utf-16be';
  const media = type?.split(';')[0].trim().toLowerCase();
  if (media && !/^(?:text\/html|application\/xhtml\+xml|(?:text|application)\/xml)$|\+xml$/.test(media)) return undefined;
  const head = Buffer.from(bytes.subarray(0, CHARSET_HEAD_BYTES)).toString('latin1');
  const xml = /<\?xml\s+[^>]*\bencoding\s*=\s*["']([^"']+)["']/i.exec(head);
  if (xml) return charsetName(xml[1]);
  for (const [tag] of head.matchAll(/<meta\b[^>]*>/gi)) {
    const own = charsetName(attribute(tag, 'charset')) ?? (/^content-type$/i.test(attribute(tag, 'http-equiv') ?? '') ? charsetParam(attribute(tag, 'content')) : undefined);
    if (own) return own;
  }
  return undefined;
}

function decoded(response, bytes) {
  const type = response.headers?.get?.('content-type') ?? null;
  try {
    return new TextDecoder(charsetParam(type) ?? charsetOf(type, bytes) ?? 'utf-8').decode(bytes);
  } catch {
    return new TextDecoder().decode(bytes);
  }
}

/** Reads until the end, or until so many bytes are there. An error ends the body early. */
async function readBytes(body, maxBytes) {
  const [reader, parts] = [body.getReader(), []];
  let size = 0;
  try {
    while (size < maxBytes) {
      const { value, done } = await reader.read();
      if (done) return { bytes: Buffer.concat(parts), truncated: false };
      if (value?.byteLength) parts.push(value.subarray(0, maxBytes - size));
      size += value?.byteLength ?? 0;
    }
  } catch {
    return { bytes: Buffer.concat(parts), truncated: false };
  }
  reader.cancel().catch(() => {});
  return { bytes: Buffer.concat(parts), truncated: true };
}

/** A body as text, in its own character set. @param {Response} response @param {{maxBytes?: number}} [options] @returns {Promise<{text: string, truncated: boolean, bytesRead: number}>} */
export async function readResponseText(response, { maxBytes } = {}) {
  const limit = Number.isFinite(maxBytes) && maxBytes > 0 ? Math.floor(maxBytes) : undefined;
  if (limit && typeof response.body?.getReader === 'function') {
    const { bytes, truncated } = await readBytes(response.body, limit);
    return { text: decoded(response, bytes), truncated, bytesRead: bytes.byteLength };
  }
  try {
    const bytes = typeof response.arrayBuffer === 'function' ? new Uint8Array(await response.arrayBuffer()) : Buffer.from(await response.text());
    return { text: decoded(response, bytes), truncated: false, bytesRead: bytes.byteLength };
  } catch {
    return { text: '', truncated: false, bytesRead: 0 };
  }
}

async function refusal(response, label, maxBytes = MAX_ERROR_BYTES) {
  const { text } = await readResponseText(response, { maxBytes });
  return new Error(`${label} API error (${response.status}): ${text || response.statusText}`);
}

/** Throws what a search service answered. @param {Response} response @param {string} providerLabel @returns {Promise<never>} */
export async function throwWebSearchApiError(response, providerLabel) {
  throw await refusal(response, providerLabel);
}

/**
 * Posts JSON to a well-known service with a key.
 * @template T
 * @param {{url: string, apiKey: string, body: unknown, timeoutSeconds: number, errorLabel: string, extraHeaders?: Record<string, string>, maxErrorBytes?: number, signal?: AbortSignal}} params
 * @param {(response: Response) => Promise<T>} parseResponse @returns {Promise<T>}
 */
export function postTrustedWebToolsJson({ url, apiKey, body, timeoutSeconds, errorLabel, extraHeaders, maxErrorBytes, signal }, parseResponse) {
  const headers = { ...extraHeaders, Accept: 'application/json', Authorization: `Bearer ${apiKey}`, 'Content-Type': 'application/json' };
  return withTrustedWebToolsEndpoint({ url, timeoutSeconds, signal, init: { method: 'POST', headers, body: JSON.stringify(body) } }, async ({ response }) => {
    if (!response.ok) throw await refusal(response, errorLabel, maxErrorBytes);
    return parseResponse(response);
  });
}

/** Where a link of a citation leads in the end; the link itself when nobody can tell. @param {string} url @returns {Promise<string>} */
export const resolveCitationRedirectUrl = (url) => withStrictWebToolsEndpoint({ url, init: { method: 'HEAD' }, timeoutMs: 5000 }, ({ finalUrl }) => finalUrl || url).catch(() => url);
