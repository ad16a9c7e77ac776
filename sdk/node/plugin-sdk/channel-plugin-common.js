export { DEFAULT_ACCOUNT_ID, normalizeAccountId } from './internal/accounts.js';
export { deleteAccountFromConfigSection, formatPairingApproveHint, setAccountEnabledInConfigSection } from './internal/channel-config.js';
export { clearAccountEntryFields } from './internal/channel-secrets.js';
export { getChatChannelMeta } from './internal/chat-meta.js';
export { buildChannelConfigSchema, emptyPluginConfigSchema } from './internal/config-schema.js';
export { PAIRING_APPROVED_MESSAGE } from './internal/pairing.js';
export { applyAccountNameToChannelSection, migrateBaseNameToDefaultAccount } from './internal/setup.js';
