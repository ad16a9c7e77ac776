// Problems that status shows, and the credentials of accounts in it.
import { isRecord, normalizeOptionalString } from './strings.js';

const STATUSES = ['available', 'configured_unavailable', 'missing'];
const STATUS_KEYS = ['tokenStatus', 'botTokenStatus', 'appTokenStatus', 'signingSecretStatus', 'userTokenStatus'];
const SOURCE_KEYS = ['tokenSource', 'botTokenSource', 'appTokenSource', 'signingSecretSource'];

/** Text without spaces around it. @param {unknown} value @returns {string|undefined} */
export const asString = (value) => normalizeOptionalString(value);
const statusOf = (record, key) => (STATUSES.includes(record[key]) ? record[key] : undefined);

/** Where an account's credentials come from and whether they are there. @param {unknown} account @returns {Record<string, string>} */
export function projectCredentialSnapshotFields(account) {
  if (!isRecord(account)) return {};
  const rows = [...SOURCE_KEYS.map((key) => [key, normalizeOptionalString(account[key])]), ...STATUS_KEYS.map((key) => [key, statusOf(account, key)])];
  return Object.fromEntries(rows.filter(([, value]) => value));
}

/** Whether any credential is configured; `undefined` when the account says nothing of them. @param {unknown} account @returns {boolean|undefined} */
export function resolveConfiguredFromCredentialStatuses(account) {
  const known = isRecord(account) ? STATUS_KEYS.map((key) => statusOf(account, key)).filter(Boolean) : [];
  return known.length > 0 ? known.some((status) => status !== 'missing') : undefined;
}
/** Whether all that are needed are. @param {unknown} account @param {string[]} requiredKeys @returns {boolean|undefined} */
export function resolveConfiguredFromRequiredCredentialStatuses(account, requiredKeys) {
  const known = isRecord(account) ? requiredKeys.map((key) => statusOf(account, key)).filter(Boolean) : [];
  return known.length > 0 ? !known.includes('missing') : undefined;
}

/** What matched, as text. @param {{matchKey?: unknown, matchSource?: unknown}} params @returns {string|undefined} */
export function formatMatchMetadata({ matchKey, matchSource }) {
  const key = ['string', 'number'].includes(typeof matchKey) ? String(matchKey) : '';
  const source = asString(matchSource);
  return [...(key ? [`matchKey=${key}`] : []), ...(source ? [`matchSource=${source}`] : [])].join(' ') || undefined;
}
/** @param {string} message @param {any} params @returns {string} */
export function appendMatchMetadata(message, params) {
  const meta = formatMatchMetadata(params);
  return meta ? `${message} (${meta})` : message;
}

/** The id of an account that is on and configured. @param {any} account @returns {string|null} */
export const resolveEnabledConfiguredAccountId = ({ accountId, enabled, configured }) => (enabled !== false && configured === true ? (asString(accountId) ?? 'default') : null);

/** Problems of the accounts that are on. @param {any} params @returns {any[]} */
export function collectIssuesForEnabledAccounts({ accounts, readAccount, collectIssues }) {
  const issues = [];
  for (const account of accounts.map((entry) => readAccount(entry))) {
    if (account && account.enabled !== false) collectIssues({ account, accountId: asString(account.accountId) ?? 'default', issues });
  }
  return issues;
}

/** Problems of accounts that are not configured, with two texts: whether what they depend on is there. @param {any} options @returns {(accounts: any[]) => any[]} */
export function createDependentCredentialStatusIssueCollector({ channel, dependencySourceKey, missingPrimaryMessage, missingDependentMessage, isDependencyConfigured }) {
  const there = isDependencyConfigured ?? ((value) => ![undefined, 'none'].includes(normalizeOptionalString(value)));
  return (accounts) => accounts.filter(({ configured }) => configured === false).map((account) => ({
    channel, accountId: account.accountId ?? '', kind: 'config', message: there(account[dependencySourceKey]) ? missingDependentMessage : missingPrimaryMessage,
  }));
}

const LEVELS = {
  off: { ackEnabled: false, agentReactionsEnabled: false },
  ack: { ackEnabled: true, agentReactionsEnabled: false },
  minimal: { ackEnabled: false, agentReactionsEnabled: true, agentReactionGuidance: 'minimal' },
  extensive: { ackEnabled: false, agentReactionsEnabled: true, agentReactionGuidance: 'extensive' },
};

/** How much the agent reacts. @param {{value: unknown, defaultLevel: string, invalidFallback: string}} params @returns {any} */
export function resolveReactionLevel({ value, defaultLevel, invalidFallback }) {
  const word = normalizeOptionalString(value);
  const missing = value === undefined || value === null || (typeof value === 'string' && !word);
  const chosen = missing ? defaultLevel : word && Object.hasOwn(LEVELS, word) ? word : invalidFallback;
  const level = Object.hasOwn(LEVELS, chosen) ? chosen : 'minimal';
  return { level, ...LEVELS[level] };
}
