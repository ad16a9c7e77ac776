export { DEFAULT_ACCOUNT_ID, normalizeAccountId, normalizeOptionalAccountId } from './internal/accounts.js';
