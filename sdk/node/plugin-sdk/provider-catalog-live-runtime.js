export { clearLiveCatalogCacheForTests } from './internal/provider/catalog.js';
