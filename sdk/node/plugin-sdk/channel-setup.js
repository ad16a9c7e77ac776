export { DEFAULT_ACCOUNT_ID } from './internal/accounts.js';
export { createOptionalChannelSetupAdapter, createOptionalChannelSetupSurface, createOptionalChannelSetupWizard } from './internal/optional-channel.js';
export { createTopLevelChannelDmPolicy } from './internal/setup-patches.js';
export { formatDocsLink, setSetupChannelEnabled, splitSetupEntries } from './internal/setup.js';
