export { DEFAULT_ACCOUNT_ID, normalizeAccountId } from './internal/accounts.js';
export { DiscordConfigSchema } from './internal/channel-schemas.js';
export { getChatChannelMeta } from './internal/chat-meta.js';
export { buildChannelConfigSchema, emptyPluginConfigSchema } from './internal/config-schema.js';
export { PAIRING_APPROVED_MESSAGE } from './internal/pairing.js';
export { applyAccountNameToChannelSection, migrateBaseNameToDefaultAccount } from './internal/setup.js';
export { projectCredentialSnapshotFields, resolveConfiguredFromCredentialStatuses } from './internal/status-issues.js';
export { buildComputedAccountStatusSnapshot, buildTokenChannelStatusSummary } from './internal/status.js';
