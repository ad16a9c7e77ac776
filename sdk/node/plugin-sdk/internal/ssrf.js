// Requests to addresses that somebody else chose: private networks are refused, also behind names and redirects.
import dns from 'node:dns/promises';
import net from 'node:net';
import { Readable } from 'node:stream';
import { createRequire } from 'node:module';
import { normalizeHostname } from './hostnames.js';
import { buildTimeoutAbortSignal } from './timeout-signal.js';
import { createPinnedLookup } from './pinned-lookup.js';
import { isRecord } from './strings.js';

const require = createRequire(import.meta.url);
const BLOCKED_NAMES = new Set(['localhost', 'localhost.localdomain', 'metadata.google.internal']);
const REDIRECTS = new Set([301, 302, 303, 307, 308]);
const CROSS_ORIGIN_HEADERS = new Set(['accept', 'accept-encoding', 'accept-language', 'cache-control', 'content-language', 'content-type', 'if-match', 'if-modified-since', 'if-none-match', 'if-unmodified-since', 'pragma', 'range', 'user-agent']);

/** The request was refused because of where it goes. */
export class SsrFBlockedError extends Error {
  constructor(message) {
    super(message);
    this.name = 'SsrFBlockedError';
  }
}

function blockList(v4, v6) {
  const list = new net.BlockList();
  for (const range of v4) list.addSubnet(...cidr(range), 'ipv4');
  for (const range of v6) list.addSubnet(...cidr(range), 'ipv6');
  return list;
}
const cidr = (text) => [text.split('/')[0], Number(text.split('/')[1])];

const SPECIAL = blockList(
  ['0.0.0.0/8', '10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '169.254.0.0/16', '172.16.0.0/12', '192.0.0.0/24', '192.0.2.0/24',
    '192.88.99.0/24', '192.168.0.0/16', '198.51.100.0/24', '203.0.113.0/24', '224.0.0.0/4', '240.0.0.0/4'],
  ['::/128', '::1/128', 'fe80::/10', 'fec0::/10', 'ff00::/8', '100::/64', '2001:db8::/32', '2001:10::/28', '2001:20::/28'],
);
const BENCHMARK = blockList(['198.18.0.0/15'], []);
const UNIQUE_LOCAL = blockList([], ['fc00::/7']);

/** The eight groups of an IPv6 address, or `null`. */
function groupsOf(address) {
  if (!net.isIPv6(address)) return null;
  const plain = address.split('%')[0].replace(/(\d+)\.(\d+)\.(\d+)\.(\d+)$/, (_, a, b, c, d) => `${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`);
  const [head, tail] = plain.split('::');
  const left = head ? head.split(':') : [];
  const right = tail ? tail.split(':') : [];
  const gap = tail === undefined ? [] : new Array(8 - left.length - right.length).fill('0');
  return [...left, ...gap, ...right].map((group) => parseInt(group, 16));
}

/** The IPv4 address that an IPv6 address carries: mapped, translated, 6to4, Teredo or ISATAP. */
function embeddedIpv4(address) {
  const g = groupsOf(address);
  if (!g) return undefined;
  const text = (high, low) => [high >> 8, high & 255, low >> 8, low & 255].join('.');
  const zero = (count) => g.slice(0, count).every((group) => group === 0);
  if (zero(5) && (g[5] === 0xffff || (g[5] === 0 && (g[6] !== 0 || g[7] > 1)))) return text(g[6], g[7]);
  if (zero(4) && g[4] === 0xffff && g[5] === 0) return text(g[6], g[7]);
  if (g[0] === 0x64 && g[1] === 0xff9b) return text(g[6], g[7]);
  if (g[0] === 0x2002) return text(g[1], g[2]);
  if (g[0] === 0x2001 && g[1] === 0) return text(g[6] ^ 0xffff, g[7] ^ 0xffff);
  if ((g[4] & 0xfdff) === 0 && g[5] === 0x5efe) return text(g[6], g[7]);
  return undefined;
}

/** Whether an address is not of the public internet. Unusual spellings of numbers count as private. */
export function isPrivateIpAddress(address, policy) {
  const host = normalizeHostname(address);
  if (!host) return false;
  if (net.isIPv4(host)) return SPECIAL.check(host, 'ipv4') || (BENCHMARK.check(host, 'ipv4') && policy?.allowRfc2544BenchmarkRange !== true);
  if (net.isIPv6(host)) {
    if (SPECIAL.check(host.split('%')[0], 'ipv6')) return true;
    if (UNIQUE_LOCAL.check(host.split('%')[0], 'ipv6')) return policy?.allowIpv6UniqueLocalRange !== true;
    const inner = embeddedIpv4(host);
    return inner !== undefined && isPrivateIpAddress(inner, policy);
  }
  if (host.includes(':')) return true;
  const parts = host.split('.');
  return parts.length <= 4 && (parts.some((part) => part === '') || parts.every((part) => /^[0-9]+$/.test(part) || /^0x/i.test(part)));
}

/** Whether a name or address is refused. */
export function isBlockedHostnameOrIp(hostname, policy) {
  const host = normalizeHostname(hostname);
  if (!host) return false;
  return BLOCKED_NAMES.has(host) || /\.(?:localhost|local|internal)$/.test(host) || isPrivateIpAddress(host, policy);
}

/** Whether a configuration allows private networks. */
export function isPrivateNetworkOptInEnabled(input) {
  if (input === true) return true;
  if (!isRecord(input)) return false;
  return [input, isRecord(input.network) ? input.network : {}].some((record) => record.allowPrivateNetwork === true || record.dangerouslyAllowPrivateNetwork === true);
}

const originOf = (text) => {
  const url = URL.parse(text.trim());
  if (!url || !['http:', 'https:'].includes(url.protocol)) return undefined;
  url.hostname = url.hostname.replace(/\.+$/, '');
  return url.origin.toLowerCase();
};

/**
 * The policy for one request: an origin that it allows is a host that it allows.
 * @param {URL} url @param {{allowedOrigins?: string[], allowedHostnames?: string[]}} [policy] @returns {object | undefined}
 */
export function resolveSsrFPolicyForUrl(url, policy) {
  const origin = originOf(url.href);
  if (!origin || !policy?.allowedOrigins?.some((allowed) => originOf(allowed) === origin)) return policy;
  return { ...policy, allowedHostnames: [...new Set([...(policy.allowedHostnames ?? []), normalizeHostname(url.hostname)])] };
}

/** A policy that allows what a base URL lies on: its host on its port only. @param {string} baseUrl @returns {{allowedOrigins: string[]} | undefined} */
export function ssrfPolicyFromHttpBaseUrlAllowedOrigin(baseUrl) {
  const origin = originOf(baseUrl);
  return origin && { allowedOrigins: [origin] };
}

function allowsAll(host, policy) {
  if (policy?.allowPrivateNetwork === true || policy?.dangerouslyAllowPrivateNetwork === true) return true;
  return (policy?.allowedHostnames ?? []).some((name) => normalizeHostname(name) === host);
}

function assertHostname(hostname, policy) {
  const host = normalizeHostname(hostname);
  if (!host) throw new Error('Invalid hostname');
  const patterns = (policy?.hostnameAllowlist ?? []).map(normalizeHostname).filter((pattern) => pattern && pattern !== '*' && pattern !== '*.');
  const fits = (pattern) => (pattern.startsWith('*.') ? host.endsWith(pattern.slice(1)) && host !== pattern.slice(2) : host === pattern);
  if (patterns.length > 0 && !patterns.some(fits)) throw new SsrFBlockedError(`Blocked hostname (not in allowlist): ${hostname}`);
  const open = allowsAll(host, policy);
  if (!open && isBlockedHostnameOrIp(host, policy)) throw new SsrFBlockedError('Blocked hostname or private/internal/special-use IP address');
  return { host, open };
}

/**
 * The host name when the policy allows it, before it is looked up.
 * @param {string} hostname
 * @param {object} [policy]
 * @returns {string} throws `SsrFBlockedError`
 */
export const assertHostnameAllowedWithPolicy = (hostname, policy) => assertHostname(hostname, policy).host;

/** Resolves a name once; the connection then goes to the addresses that were checked. */
export async function resolvePinnedHostnameWithPolicy(hostname, { policy, lookupFn = dns.lookup } = {}) {
  const { host, open } = assertHostname(hostname, policy);
  const found = [await lookupFn(host, { all: true })].flat().map((row) => (typeof row === 'string' ? { address: row } : row));
  if (found.length === 0) throw new Error(`Unable to resolve hostname: ${hostname}`);
  if (!open && found.some(({ address }) => isBlockedHostnameOrIp(address, policy))) throw new SsrFBlockedError('Blocked: resolves to private/internal/special-use IP address');
  const addresses = [...new Set(found.map(({ address }) => address))].sort((a, b) => net.isIP(a) - net.isIP(b));
  return { hostname: host, addresses, lookup: createPinnedLookup({ hostname: host, addresses }) };
}

/**
 * The same for public addresses only.
 * @param {string} hostname
 * @param {Function} [lookupFn]
 * @returns {Promise<{hostname: string, addresses: string[], lookup: Function}>}
 */
export const resolvePinnedHostname = (hostname, lookupFn) => resolvePinnedHostnameWithPolicy(hostname, { lookupFn });

/** One request over node:http(s) to a checked address. */
function requestPinned(url, init, addresses) {
  const { request } = require(url.protocol === 'https:' ? 'node:https' : 'node:http');
  const rows = addresses.map((address) => ({ address, family: net.isIP(address) }));
  const lookup = (_name, options, done) => (options.all ? done(null, rows) : done(null, rows[0].address, rows[0].family));
  return new Promise((resolve, reject) => {
    const outgoing = new Request(url, { ...init, redirect: 'manual', signal: undefined, ...(init?.body ? { duplex: 'half' } : {}) });
    const headers = Object.fromEntries(outgoing.headers);
    const req = request(url, { method: outgoing.method, headers: { 'accept': '*/*', 'user-agent': 'node', ...headers }, lookup, agent: false, signal: init?.signal }, (res) => {
      const list = new Headers();
      for (let i = 0; i < res.rawHeaders.length; i += 2) list.append(res.rawHeaders[i], res.rawHeaders[i + 1]);
      const bodiless = [204, 205, 304].includes(res.statusCode) || outgoing.method === 'HEAD';
      if (bodiless) res.resume();
      resolve(new Response(bodiless ? null : Readable.toWeb(decoded(res)), { status: res.statusCode, statusText: res.statusMessage, headers: list }));
    });
    req.on('error', reject);
    if (outgoing.body) Readable.fromWeb(outgoing.body).on('error', reject).pipe(req);
    else req.end();
  });
}

/** One request: through a proxy when the parameters say so, else to an address that was checked. */
async function requestUnderPolicy(url, options, params) {
  const { policy, lookupFn, dispatcherPolicy, fetchImpl } = params;
  const { shouldUseEnvHttpProxyForUrl } = params.mode === 'trusted_env_proxy' ? await import('./proxy-env.js') : {};
  const byEnvironment = shouldUseEnvHttpProxyForUrl?.(url.href) === true;
  const byProxy = dispatcherPolicy?.mode === 'explicit-proxy' && params.mode === 'trusted_explicit_proxy';
  if (dispatcherPolicy?.mode === 'explicit-proxy' && !dispatcherPolicy.allowPrivateProxy) {
    await resolvePinnedHostnameWithPolicy(new URL(dispatcherPolicy.proxyUrl).hostname, { policy, lookupFn });
  }
  // Behind a trusted proxy only the name can be checked: the proxy looks it up.
  const own = resolveSsrFPolicyForUrl(url, policy);
  const pinned = byEnvironment || byProxy ? assertHostname(url.hostname, own) : await resolvePinnedHostnameWithPolicy(url.hostname, { policy: own, lookupFn });
  if (fetchImpl && fetchImpl !== globalThis.fetch) return { response: await fetchImpl(url.href, options) };
  if (!byEnvironment && (dispatcherPolicy?.mode ?? 'direct') === 'direct') return { response: await requestPinned(url, options, pinned.addresses) };
  const dispatchers = await import('./dispatchers.js');
  const dispatcher = byEnvironment
    ? dispatchers.createHttp1EnvHttpProxyAgent()
    : dispatchers.createPinnedDispatcher(pinned, dispatcherPolicy);
  try {
    return { response: await fetch(url, { ...options, dispatcher }), close: () => dispatchers.closeDispatcher(dispatcher) };
  } catch (error) {
    await dispatchers.closeDispatcher(dispatcher);
    throw error;
  }
}

function decoded(res) {
  const zlib = require('node:zlib');
  const make = { gzip: zlib.createGunzip, 'x-gzip': zlib.createGunzip, deflate: zlib.createInflate, br: zlib.createBrotliDecompress }[res.headers['content-encoding']];
  return make ? res.pipe(make()) : res;
}

function checkUrl(text, requireHttps) {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (!url || !['http:', 'https:'].includes(url.protocol)) throw new Error('Invalid URL: must be http or https');
  if (requireHttps === true && url.protocol !== 'https:') throw new Error('URL must use https');
  return url;
}

/** The request after a redirect: its method, its body, and, on another origin, only harmless headers. */
function redirected(init, status, crossOrigin, replay) {
  const next = { ...init };
  const method = (next.method ?? 'GET').toUpperCase();
  const headers = new Headers(next.headers);
  const drop = () => {
    delete next.body;
    for (const name of ['content-encoding', 'content-language', 'content-length', 'content-location', 'content-type', 'transfer-encoding']) headers.delete(name);
  };
  if ((status === 303 && method !== 'GET' && method !== 'HEAD') || ((status === 301 || status === 302) && method === 'POST')) {
    next.method = 'GET';
    drop();
  }
  if (crossOrigin) {
    if (!replay && !['GET', 'HEAD'].includes((next.method ?? 'GET').toUpperCase())) drop();
    for (const name of [...headers.keys()]) if (!CROSS_ORIGIN_HEADERS.has(name)) headers.delete(name);
  }
  next.headers = headers;
  return next;
}

/** Fetches under the policy. The caller must call `release()` when it is done with the response. */
export async function fetchWithSsrFGuard(params) {
  const maxRedirects = Number.isFinite(params.maxRedirects) ? Math.max(0, Math.floor(params.maxRedirects)) : 3;
  const { signal, cleanup, refresh } = buildTimeoutAbortSignal(params);
  const visited = new Set([params.url]);
  let [current, init, hops] = [params.url, { ...params.init }, 0];
  try {
    for (;;) {
      const url = checkUrl(current, params.requireHttps);
      const options = { ...init, redirect: 'manual', ...(signal ? { signal } : {}) };
      const { response, close } = await requestUnderPolicy(url, options, params);
      const release = async () => {
        cleanup();
        await close?.();
      };
      if (!REDIRECTS.has(response.status)) return { response, finalUrl: current, release, refreshTimeout: refresh };
      const location = response.headers.get('location');
      await response.body?.cancel();
      await close?.();
      if (!location) throw new Error(`Redirect missing location header (${response.status})`);
      if (++hops > maxRedirects) throw new Error(`Too many redirects (limit: ${maxRedirects})`);
      const next = new URL(location, url);
      if (visited.has(next.href)) throw new Error('Redirect loop detected');
      visited.add(next.href);
      init = redirected(init, response.status, next.origin !== url.origin, params.allowCrossOriginUnsafeRedirectReplay === true);
      current = next.href;
    }
  } catch (error) {
    cleanup();
    throw error;
  }
}

/** Throws for a name whose addresses are not of the public network. @param {string} hostname @param {any} [lookupFn] @returns {Promise<void>} */
export const assertPublicHostname = async (hostname, lookupFn) => void (await resolvePinnedHostname(hostname, lookupFn));
