export { clearLiveCatalogCacheForTests } from './internal/provider/catalog.js';
export { buildLiveModelProviderConfig, fetchLiveProviderModelIds, fetchLiveProviderModelRows, getCachedLiveProviderModelRows, LiveModelCatalogHttpError } from './internal/provider/live-catalog.js';
