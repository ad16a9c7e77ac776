export { jsonResult, readNumberParam, readStringParam } from './internal/actions.js';
export { enablePluginInConfig } from './internal/web/config.js';
export { readResponseText, withSelfHostedWebToolsEndpoint, withStrictWebToolsEndpoint, withTrustedWebToolsEndpoint } from './internal/web/requests.js';
export { DEFAULT_CACHE_TTL_MINUTES, DEFAULT_TIMEOUT_SECONDS, markdownToText, normalizeCacheKey, readCache, resolveCacheTtlMs, resolveTimeoutSeconds, truncateText, writeCache } from './internal/web/search.js';
export { wrapExternalContent, wrapWebContent } from './internal/web/untrusted.js';
export { resolvePositiveTimeoutSeconds } from './internal/numbers.js';
