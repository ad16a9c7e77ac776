export { DEFAULT_ACCOUNT_ID } from './internal/accounts.js';
export { createPatchedAccountSetupAdapter, createSetupInputPresenceValidator, createSetupTranslator, createStandardChannelSetupStatus, mergeAllowFromEntries, setSetupChannelEnabled, splitSetupEntries } from './internal/setup.js';
