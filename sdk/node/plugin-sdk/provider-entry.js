export { defineSingleProviderPluginEntry } from './internal/provider-entry.js';
