// The headers, credentials, proxy and TLS settings of requests to providers.
import { coerceSecretRef } from '../secrets.js';
import { isRecord, normalizeLowercaseStringOrEmpty } from '../strings.js';
import { resolveProviderRequestCapabilities, resolveProviderRequestPolicy } from './endpoints.js';

const UNSAFE = new Set(['__proto__', 'prototype', 'constructor']);
const TLS_TEXTS = ['ca', 'cert', 'key', 'passphrase', 'serverName'];

/** A base address without slashes at its end. @param {string} [baseUrl] @param {string} [fallback] @returns {string | undefined} */
export const normalizeBaseUrl = (baseUrl, fallback) => (baseUrl?.trim() || fallback?.trim())?.replace(/\/+$/, '') || undefined;

/** Headers of several sets; of names that differ only in case the last one stays. */
function mergeHeaders(...sets) {
  const merged = new Map();
  for (const [name, value] of sets.flatMap((set) => Object.entries(set ?? {}))) {
    const key = normalizeLowercaseStringOrEmpty(name);
    if (UNSAFE.has(key)) continue;
    if (merged.get(key)?.[0] !== name) merged.delete(key);
    merged.set(key, [name, value]);
  }
  return merged.size > 0 ? Object.fromEntries(merged.values()) : undefined;
}

function authOf({ authHeader, request }) {
  const auth = request?.auth;
  if (auth?.mode === 'authorization-bearer' && auth.token.trim()) {
    return { configured: true, mode: auth.mode, headerName: 'Authorization', value: auth.token.trim(), injectAuthorizationHeader: true };
  }
  if (auth?.mode === 'header' && auth.headerName.trim() && auth.value.trim()) {
    const prefix = auth.prefix?.trim();
    return { configured: true, mode: auth.mode, headerName: auth.headerName.trim(), value: auth.value.trim(), ...(prefix ? { prefix } : {}), injectAuthorizationHeader: false };
  }
  return { configured: false, mode: authHeader ? 'authorization-bearer' : 'provider-default', injectAuthorizationHeader: authHeader === true };
}

function withAuth(headers, auth) {
  if (!auth.configured) return headers;
  const replaced = new Set([auth.headerName.toLowerCase(), ...(auth.mode === 'header' ? ['authorization'] : [])]);
  const kept = Object.entries(headers ?? {}).filter(([name]) => !replaced.has(name.toLowerCase()));
  const value = auth.mode === 'authorization-bearer' ? `Bearer ${auth.value}` : `${auth.prefix ?? ''}${auth.value}`;
  return Object.fromEntries([...kept, [auth.headerName, value]]);
}

function tlsOf(tls) {
  if (!tls) return { configured: false };
  if (tls.insecureSkipVerify === true) throw new Error('Provider transport overrides do not allow insecureSkipVerify');
  const set = TLS_TEXTS.map((key) => [key, tls[key]?.trim()]).filter(([, value]) => value);
  if (tls.insecureSkipVerify === false) set.push(['rejectUnauthorized', true]);
  return set.length > 0 ? { configured: true, ...Object.fromEntries(set) } : { configured: false };
}

function proxyOf(request) {
  const proxy = request?.proxy;
  if (!proxy) return { configured: false };
  const tls = tlsOf(proxy.tls);
  if (proxy.mode === 'env-proxy') return { configured: true, mode: 'env-proxy', tls };
  const proxyUrl = proxy.url.trim();
  return proxyUrl ? { configured: true, mode: 'explicit-proxy', proxyUrl, tls } : { configured: false };
}

function isLoopback(baseUrl) {
  if (!baseUrl || !URL.canParse(baseUrl)) return false;
  const host = new URL(baseUrl).hostname.toLowerCase().replace(/\.+$/, '').replace(/^\[|\]$/g, '');
  return host === 'localhost' || host.endsWith('.localhost') || /^127\./.test(host) || host === '::1';
}

/** All that holds for a request. @param {object} params @returns {object} */
export function resolveProviderRequestPolicyConfig(params) {
  const baseUrl = normalizeBaseUrl(params.baseUrl, params.defaultBaseUrl);
  const [capability, transport] = [params.capability ?? 'llm', params.transport ?? 'http'];
  const input = { provider: params.provider, api: params.api, baseUrl, capability, transport };
  const policy = resolveProviderRequestPolicy(input);
  const auth = authOf(params);
  const own = withAuth(mergeHeaders(params.discoveredHeaders, params.providerHeaders, params.modelHeaders, params.request?.headers), auth);
  const reserved = new Set(Object.keys(policy.attributionHeaders ?? {}).map((name) => name.toLowerCase()));
  const caller = params.callerHeaders && Object.fromEntries(Object.entries(params.callerHeaders).filter(([name]) => !reserved.has(name.toLowerCase())));
  const defaults = mergeHeaders(own, policy.attributionHeaders);
  const mayLoopback = params.capability === 'llm' && params.transport === 'stream' && isLoopback(params.baseUrl);
  return {
    api: params.api,
    baseUrl,
    headers: params.precedence === 'caller-wins' ? mergeHeaders(defaults, caller) : mergeHeaders(caller, defaults),
    extraHeaders: { configured: Boolean(own), headers: own },
    auth,
    proxy: proxyOf(params.request),
    tls: tlsOf(params.request?.tls),
    policy,
    capabilities: resolveProviderRequestCapabilities({ ...input, compat: params.compat, modelId: params.modelId }),
    allowPrivateNetwork: params.allowPrivateNetwork ?? params.request?.allowPrivateNetwork ?? mayLoopback,
  };
}

/** The headers of a request. @param {object} params @returns {Record<string, string> | undefined} */
export const resolveProviderRequestHeaders = ({ defaultHeaders, ...params }) => resolveProviderRequestPolicyConfig({ ...params, providerHeaders: defaultHeaders }).headers;

const tlsOptions = ({ configured: _configured, serverName, ...rest }) => ({ ...rest, ...(serverName ? { servername: serverName } : {}) });

/** How connections are made, when not as always. */
function dispatcherOf({ proxy, tls }) {
  const target = tls.configured ? tlsOptions(tls) : undefined;
  if (!proxy.configured) return target ? { mode: 'direct', connect: target } : undefined;
  const proxyTls = proxy.tls.configured ? tlsOptions(proxy.tls) : undefined;
  const own = proxyTls ? { proxyTls } : {};
  return proxy.mode === 'env-proxy' ? { mode: proxy.mode, ...(target ? { connect: target } : {}), ...own } : { mode: proxy.mode, proxyUrl: proxy.proxyUrl, ...own };
}

/** Address, headers and connection of a request that a plugin makes itself. @param {object} params @returns {{ baseUrl: string, allowPrivateNetwork: boolean, headers: Headers, dispatcherPolicy?: object, requestConfig: object }} */
export function resolveProviderHttpRequestConfig(params) {
  const requestConfig = resolveProviderRequestPolicyConfig({
    ...params,
    provider: params.provider ?? '',
    capability: params.capability ?? 'other',
    transport: params.transport ?? 'http',
    callerHeaders: params.headers ? Object.fromEntries(new Headers(params.headers).entries()) : undefined,
    providerHeaders: params.defaultHeaders,
    precedence: 'caller-wins',
  });
  const { baseUrl, allowPrivateNetwork } = requestConfig;
  if (!baseUrl) throw new Error('Missing baseUrl: provide baseUrl or defaultBaseUrl');
  return { baseUrl, allowPrivateNetwork, headers: new Headers(requestConfig.headers), dispatcherPolicy: dispatcherOf(requestConfig), requestConfig };
}

function textOf(value, path) {
  if (typeof value === 'string') return value.trim() || undefined;
  const ref = coerceSecretRef(value);
  if (ref) throw new Error(`${path}: unresolved SecretRef "${ref.source}:${ref.provider}:${ref.id}". Resolve this command against an active gateway runtime snapshot before reading it.`);
  return undefined;
}

const filled = (record) => {
  const set = Object.entries(record).filter(([, value]) => value !== undefined);
  return set.length > 0 ? Object.fromEntries(set) : undefined;
};
const readTls = (tls, path) =>
  isRecord(tls)
    ? filled({ ...Object.fromEntries(TLS_TEXTS.map((key) => [key, textOf(tls[key], `${path}.${key}`)])), insecureSkipVerify: typeof tls.insecureSkipVerify === 'boolean' ? tls.insecureSkipVerify : undefined })
    : undefined;

function readAuth(auth) {
  if (!isRecord(auth)) return undefined;
  const text = (key) => textOf(auth[key], `request.auth.${key}`);
  if (auth.mode === 'provider-default') return { mode: auth.mode };
  if (auth.mode === 'authorization-bearer') return text('token') && { mode: auth.mode, token: text('token') };
  if (auth.mode !== 'header' || !text('headerName') || !text('value')) return undefined;
  return filled({ mode: auth.mode, headerName: text('headerName'), value: text('value'), prefix: text('prefix') });
}

function readProxy(proxy) {
  if (!isRecord(proxy)) return undefined;
  const tls = readTls(proxy.tls, 'request.proxy.tls');
  if (proxy.mode === 'env-proxy') return filled({ mode: proxy.mode, tls });
  const url = proxy.mode === 'explicit-proxy' ? textOf(proxy.url, 'request.proxy.url') : undefined;
  return url && filled({ mode: proxy.mode, url, tls });
}

/** `models.providers.<id>.request` without what is not valid; `undefined` when nothing is left. @param {unknown} request @returns {object | undefined} */
export function sanitizeConfiguredModelProviderRequest(request) {
  if (!isRecord(request)) return undefined;
  const headers = isRecord(request.headers) ? filled(Object.fromEntries(Object.entries(request.headers).map(([name, value]) => [name, textOf(value, `request.headers.${name}`)]))) : undefined;
  return filled({
    headers,
    auth: readAuth(request.auth) || undefined,
    proxy: readProxy(request.proxy) || undefined,
    tls: readTls(request.tls, 'request.tls'),
    allowPrivateNetwork: typeof request.allowPrivateNetwork === 'boolean' ? request.allowPrivateNetwork : undefined,
  });
}
