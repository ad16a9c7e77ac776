export { createHttp1EnvHttpProxyAgent, createHttp1ProxyAgent } from './internal/dispatchers.js';
export { getProxyUrlFromFetch, makeProxyFetch, resolveFetch, withTrustedEnvProxyGuardedFetchMode, wrapFetchWithAbortSignal } from './internal/fetch-tools.js';
export { createPinnedLookup } from './internal/pinned-lookup.js';
export { hasEnvHttpProxyAgentConfigured, hasEnvHttpProxyConfigured, resolveEnvHttpProxyAgentOptions, resolveEnvHttpProxyUrl, shouldUseEnvHttpProxyForUrl } from './internal/proxy-env.js';
export { createNodeProxyAgent } from './internal/proxy-tunnel.js';
