// An account of Telegram as its channel resolves it: settings of the account over those of the channel, and where the token comes from.
import fs from 'node:fs';
import { DEFAULT_ACCOUNT_ID, normalizeAccountId, resolveAccountEntry } from './accounts.js';
import { normalizeOptionalString } from './strings.js';

const tokenOf = (value) => normalizeOptionalString(typeof value === 'string' ? value : undefined);
function tokenFile(file) {
  try {
    return file ? tokenOf(fs.readFileSync(file, 'utf8')) : undefined;
  } catch {
    return undefined;
  }
}
/** The token of an account: its own, its file's, the channel's, the environment's for the first account. */
function findToken(section, account, accountId) {
  const ways = [[account.tokenFile, 'tokenFile', tokenFile], [account.botToken, 'config', tokenOf]];
  if (accountId === DEFAULT_ACCOUNT_ID) ways.push([section.tokenFile, 'tokenFile', tokenFile], [section.botToken, 'config', tokenOf], [process.env.TELEGRAM_BOT_TOKEN, 'env', tokenOf]);
  for (const [given, source, read] of ways) {
    const token = read(given);
    if (token) return { token, tokenSource: source };
  }
  return { token: '', tokenSource: 'none' };
}

/** @param {{cfg: object, accountId?: string | null}} params @returns {{accountId: string, enabled: boolean, name?: string, token: string, tokenSource: 'env' | 'tokenFile' | 'config' | 'none', config: object}} */
export function resolveTelegramAccount({ cfg, accountId: wanted }) {
  const { accounts, defaultAccount, groups, ...common } = cfg.channels?.telegram ?? {};
  const accountId = normalizeAccountId(wanted ?? defaultAccount ?? (accounts && !resolveAccountEntry(accounts, DEFAULT_ACCOUNT_ID) && !tokenOf(common.botToken) ? Object.keys(accounts)[0] : undefined));
  const own = resolveAccountEntry(accounts, accountId) ?? {};
  const shared = Object.keys(accounts ?? {}).length > 1 ? own.groups : (own.groups ?? groups);
  const config = { ...common, ...own, ...(shared ? { groups: shared } : {}) };
  return { accountId, enabled: common.enabled !== false && config.enabled !== false, name: normalizeOptionalString(config.name), ...findToken(common, own, accountId), config };
}
