export { createAccountActionGate, createAccountListHelpers, describeAccountSnapshot, describeWebhookAccountSnapshot, mergeAccountConfig, resolveMergedAccountConfig } from './internal/accounts.js';
