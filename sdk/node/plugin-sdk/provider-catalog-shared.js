export { buildSingleProviderApiKeyCatalog } from './internal/provider-entry.js';
