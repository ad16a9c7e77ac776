export { DEFAULT_ACCOUNT_ID } from './internal/accounts.js';
export { buildChannelConfigSchema } from './internal/config-schema.js';
export { fetchWithSsrFGuard, isBlockedHostnameOrIp } from './internal/ssrf.js';
