export { DEFAULT_ACCOUNT_ID, createAccountActionGate, createAccountListHelpers, describeAccountSnapshot, listCombinedAccountIds, mergeAccountConfig, normalizeAccountId, normalizeChatType, normalizeOptionalAccountId, resolveAccountEntry, resolveAccountWithDefaultFallback, resolveListedDefaultAccountId, resolveMergedAccountConfig, resolveNormalizedAccountEntry } from './internal/accounts.js';
export { hasConfiguredAccountValue, listConfiguredAccountIds, normalizeE164 } from './internal/allowlists.js';
export { resolveUserPath } from './internal/paths.js';
export { pathExists } from './internal/safe-files.js';
