export { DEFAULT_ACCOUNT_ID } from './internal/accounts.js';
export { formatDocsLink, setSetupChannelEnabled, splitSetupEntries } from './internal/setup.js';
