export { applyProviderNativeStreamingUsageCompat, buildManifestModelProviderConfig, buildPairedProviderApiKeyCatalog, clearLiveCatalogCacheForTests, findCatalogTemplate, getCachedLiveCatalogValue, readConfiguredProviderCatalogEntries, supportsNativeStreamingUsageCompat } from './internal/provider/catalog.js';
export { buildSingleProviderApiKeyCatalog } from './internal/provider-entry.js';
