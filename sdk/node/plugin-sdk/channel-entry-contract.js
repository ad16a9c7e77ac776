export { defineBundledChannelEntry, defineBundledChannelSetupEntry, loadBundledEntryExportSync } from './internal/bundled-entry.js';
