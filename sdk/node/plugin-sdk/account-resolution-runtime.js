export { resolveMergedAccountConfig, resolveNormalizedAccountEntry } from './internal/accounts.js';
