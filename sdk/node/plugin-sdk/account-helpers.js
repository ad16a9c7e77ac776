export { createAccountActionGate, createAccountListHelpers, describeAccountSnapshot, describeWebhookAccountSnapshot, mergeAccountConfig, resolveMergedAccountConfig } from './internal/accounts.js';
export { hasConfiguredAccountValue } from './internal/allowlists.js';
