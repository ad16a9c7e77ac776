// Who an OpenAI access token belongs to, as the token itself says; nothing here checks its signature.
import { resolveExpiresAtMsFromEpochSeconds } from '../numbers.js';
import { isRecord, normalizeOptionalString } from '../strings.js';

/** @typedef {{accountId?: string, chatgptPlanType?: string, email?: string, profileName?: string, idToken?: string}} CodexIdentity */

/** What is written in a token. @param {string} token @returns {Record<string, any> | undefined} */
export function decodeOpenAICodexJwtPayload(token) {
  try {
    const payload = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString('utf8'));
    return isRecord(payload) ? payload : undefined;
  } catch {
    return undefined;
  }
}

/** When a token ends, in milliseconds. @param {string} access @returns {number | undefined} */
export const resolveOpenAICodexAccessTokenExpiry = (access) => resolveExpiresAtMsFromEpochSeconds(decodeOpenAICodexJwtPayload(access)?.exp);

/** Whose a token is. @param {{access: string, accountId?: string}} params @returns {CodexIdentity} */
export function resolveOpenAICodexAuthIdentity({ access, accountId: given }) {
  const payload = decodeOpenAICodexJwtPayload(access);
  const claim = (name) => (isRecord(payload?.[`https://api.openai.com/${name}`]) ? payload[`https://api.openai.com/${name}`] : {});
  const auth = claim('auth');
  const text = normalizeOptionalString;
  const accountId = given ?? text(auth.chatgpt_account_id);
  const chatgptPlanType = text(auth.chatgpt_plan_type);
  const known = { ...(accountId ? { accountId } : {}), ...(chatgptPlanType ? { chatgptPlanType } : {}) };
  const email = text(claim('profile').email);
  if (email) return { ...known, email, profileName: email };
  const subject = [auth.chatgpt_account_user_id, auth.chatgpt_user_id, auth.user_id, payload?.sub].map((value) => text(value)).find(Boolean) ?? accountId;
  return { ...known, ...(subject ? { profileName: `id-${Buffer.from(subject).toString('base64url')}` } : {}) };
}

/** What of it is kept with a credential. @param {CodexIdentity} identity @returns {object | undefined} */
export function buildOpenAICodexCredentialExtra(identity) {
  const kept = ['accountId', 'chatgptPlanType', 'idToken'].filter((name) => identity[name]);
  return kept.length > 0 ? Object.fromEntries(kept.map((name) => [name, identity[name]])) : undefined;
}

/** The profile that a credential from elsewhere goes to. @param {CodexIdentity} identity @param {string} fallback @returns {string} */
export function resolveOpenAICodexImportProfileName({ accountId, profileName }, fallback) {
  if (accountId) return `account-${accountId.replace(/[^A-Za-z0-9._-]+/g, '-')}`;
  return profileName?.startsWith('id-') ? profileName : fallback;
}
