export { DEFAULT_ACCOUNT_ID, normalizeAccountId } from './internal/accounts.js';
export { formatCliCommand } from './internal/cli-name.js';
export { hasConfiguredSecretInput, normalizeSecretInputString } from './internal/secrets.js';
export { addWildcardAllowFrom, applyAccountNameToChannelSection, applySetupAccountConfigPatch, createPatchedAccountSetupAdapter, createSetupInputPresenceValidator, createSetupTranslator, createStandardChannelSetupStatus, formatDocsLink, mergeAllowFromEntries, migrateBaseNameToDefaultAccount, patchScopedAccountConfig, prepareScopedSetupConfig, setSetupChannelEnabled, splitSetupEntries } from './internal/setup.js';
