export { resolveMergedAccountConfig, resolveNormalizedAccountEntry } from './internal/accounts.js';
export { listConfiguredAccountIds } from './internal/allowlists.js';
