// How much of a service's allowance is used, as the service tells it.
import { parseFiniteNumber } from '../numbers.js';
import { normalizeLowercaseStringOrEmpty } from '../strings.js';
import { resolveProviderRequestHeaders } from './request.js';

/** @typedef {{label: string, usedPercent: number, resetAt?: number}} UsageWindow */
/** @typedef {{provider: string, displayName: string, windows: UsageWindow[], plan?: string, error?: string}} UsageSnapshot */

/** Services by the names that people know. */
export const PROVIDER_LABELS = { anthropic: 'Claude', deepseek: 'DeepSeek', 'github-copilot': 'Copilot', 'google-gemini-cli': 'Gemini', minimax: 'MiniMax', 'openai-codex': 'Codex', xiaomi: 'Xiaomi', zai: 'z.ai' };

/** A share from 0 to 100. @param {number} value @returns {number} */
export const clampPercent = (value) => Math.max(0, Math.min(100, Number.isFinite(value) ? value : 0));

/** What is known when nothing is. @param {string} provider @param {string} error @returns {UsageSnapshot} */
export const buildUsageErrorSnapshot = (provider, error) => ({ provider, displayName: PROVIDER_LABELS[provider], windows: [], error });

/** The same from a status. @param {{provider: string, status: number, message?: string, tokenExpiredStatuses?: readonly number[]}} options @returns {UsageSnapshot} */
export function buildUsageHttpErrorSnapshot({ provider, status, message, tokenExpiredStatuses = [] }) {
  if (tokenExpiredStatuses.includes(status)) return buildUsageErrorSnapshot(provider, 'Token expired');
  return buildUsageErrorSnapshot(provider, message?.trim() ? `HTTP ${status}: ${message.trim()}` : `HTTP ${status}`);
}

/** Fetches within a time. @param {string} url @param {RequestInit} init @param {number} timeoutMs @param {typeof fetch} fetchFn @returns {Promise<Response>} */
export async function fetchJson(url, init, timeoutMs, fetchFn) {
  const stop = new AbortController();
  const timer = setTimeout(() => stop.abort(), timeoutMs);
  try {
    return await fetchFn(url, { ...init, signal: stop.signal });
  } finally {
    clearTimeout(timer);
  }
}

const known = (provider, windows, more) => ({ provider, displayName: PROVIDER_LABELS[provider], windows, ...more });
const bearer = (token) => ({ Authorization: `Bearer ${token}`, Accept: 'application/json' });
const moment = (value) => (value ? new Date(value).getTime() : undefined);

function claudeWindows(data) {
  const share = (label, part) => (part?.utilization === undefined ? [] : [{ label, usedPercent: clampPercent(part.utilization), resetAt: moment(part.resets_at) }]);
  const model = data.seven_day_sonnet || data.seven_day_opus;
  const own = model?.utilization === undefined ? [] : [{ label: data.seven_day_sonnet ? 'Sonnet' : 'Opus', usedPercent: clampPercent(model.utilization) }];
  return [...share('5h', data.five_hour), ...share('Week', data.seven_day), ...own];
}

/** The session of claude.ai that the environment names. */
function claudeSession(env = process.env) {
  const direct = (env.CLAUDE_AI_SESSION_KEY ?? env.CLAUDE_WEB_SESSION_KEY)?.trim();
  const cookie = /(?:^|;\s*)sessionKey=([^;\s]+)/i.exec((env.CLAUDE_WEB_COOKIE ?? '').trim().replace(/^cookie:\s*/i, ''))?.[1];
  return [direct, cookie].find((key) => key?.startsWith('sk-ant-'));
}

async function claudeWebUsage(session, timeoutMs, fetchFn) {
  const init = { headers: { Cookie: `sessionKey=${session}`, Accept: 'application/json' } };
  const get = async (path) => {
    const response = await fetchJson(`https://claude.ai/api/organizations${path}`, init, timeoutMs, fetchFn);
    return response.ok ? response.json() : undefined;
  };
  const id = (await get(''))?.[0]?.uuid?.trim();
  const usage = id && (await get(`/${id}/usage`));
  const windows = usage ? claudeWindows(usage) : [];
  return windows.length > 0 ? known('anthropic', windows) : undefined;
}

/** Claude's allowance. @param {string} token @param {number} timeoutMs @param {typeof fetch} fetchFn @returns {Promise<UsageSnapshot>} */
export async function fetchClaudeUsage(token, timeoutMs, fetchFn) {
  const headers = { ...bearer(token), 'User-Agent': 'openclaw', 'anthropic-version': '2023-06-01', 'anthropic-beta': 'oauth-2025-04-20' };
  const response = await fetchJson('https://api.anthropic.com/api/oauth/usage', { headers }, timeoutMs, fetchFn);
  if (response.ok) return known('anthropic', claudeWindows(await response.json()));
  const said = (await response.json().catch(() => undefined))?.error?.message;
  const message = typeof said === 'string' && said.trim() ? said.trim() : undefined;
  const session = response.status === 403 && message?.includes('scope requirement user:profile') ? claudeSession() : undefined;
  const web = session && (await claudeWebUsage(session, timeoutMs, fetchFn));
  return web || buildUsageHttpErrorSnapshot({ provider: 'anthropic', status: response.status, message });
}

/** How a second window is called: by its length, or by when it begins anew. */
function secondLabel(hours, first, second) {
  if (hours >= 168) return 'Week';
  if (hours < 24) return `${hours}h`;
  return typeof first === 'number' && typeof second === 'number' && second - first >= 3 * 86_400 ? 'Week' : 'Day';
}

/** Codex's allowance. @param {string} token @param {string | undefined} accountId @param {number} timeoutMs @param {typeof fetch} fetchFn @returns {Promise<UsageSnapshot>} */
export async function fetchCodexUsage(token, accountId, timeoutMs, fetchFn) {
  const [provider, url] = ['openai-codex', 'https://chatgpt.com/backend-api/wham/usage'];
  const defaultHeaders = { ...bearer(token), ...(accountId && { 'ChatGPT-Account-Id': accountId }) };
  const headers = resolveProviderRequestHeaders({ provider, baseUrl: url, capability: 'other', transport: 'http', defaultHeaders }) ?? defaultHeaders;
  const response = await fetchJson(url, { method: 'GET', headers }, timeoutMs, fetchFn);
  if (!response.ok) return buildUsageHttpErrorSnapshot({ provider, status: response.status, tokenExpiredStatuses: [401, 403] });
  const data = await response.json();
  const { primary_window: first, secondary_window: second } = data.rate_limit ?? {};
  const shown = (window, label) => ({ label, usedPercent: clampPercent(window.used_percent || 0), resetAt: window.reset_at ? window.reset_at * 1000 : undefined });
  const hours = (window, fallback) => Math.round((window.limit_window_seconds || fallback) / 3600);
  const windows = [];
  if (first) windows.push(shown(first, `${hours(first, 10_800)}h`));
  if (second) windows.push(shown(second, secondLabel(hours(second, 86_400), first?.reset_at, second.reset_at)));
  const balance = data.credits?.balance ?? undefined;
  const money = balance === undefined ? undefined : `$${(typeof balance === 'number' ? balance : Number.parseFloat(balance) || 0).toFixed(2)}`;
  return known(provider, windows, { plan: money && data.plan_type ? `${data.plan_type} (${money})` : money ?? data.plan_type });
}

/** Gemini's allowance. @param {string} token @param {number} timeoutMs @param {typeof fetch} fetchFn @param {string} provider @returns {Promise<UsageSnapshot>} */
export async function fetchGeminiUsage(token, timeoutMs, fetchFn, provider) {
  const headers = { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' };
  const response = await fetchJson('https://cloudcode-pa.googleapis.com/v1internal:retrieveUserQuota', { method: 'POST', headers, body: '{}' }, timeoutMs, fetchFn);
  if (!response.ok) return buildUsageHttpErrorSnapshot({ provider, status: response.status });
  const buckets = (await response.json()).buckets || [];
  const windows = ['Pro', 'Flash'].flatMap((label) => {
    const left = buckets.filter(({ modelId }) => normalizeLowercaseStringOrEmpty(modelId || 'unknown').includes(label.toLowerCase())).map(({ remainingFraction }) => remainingFraction ?? 1);
    return left.length > 0 ? [{ label, usedPercent: clampPercent((1 - Math.min(1, ...left)) * 100) }] : [];
  });
  return known(provider, windows);
}

/** z.ai's allowance. @param {string} apiKey @param {number} timeoutMs @param {typeof fetch} fetchFn @returns {Promise<UsageSnapshot>} */
export async function fetchZaiUsage(apiKey, timeoutMs, fetchFn) {
  const response = await fetchJson('https://api.z.ai/api/monitor/usage/quota/limit', { method: 'GET', headers: bearer(apiKey) }, timeoutMs, fetchFn);
  if (!response.ok) return buildUsageHttpErrorSnapshot({ provider: 'zai', status: response.status });
  const { success, code, msg, data } = await response.json();
  if (!success || code !== 200) return buildUsageErrorSnapshot('zai', (typeof msg === 'string' && msg.trim()) || 'API error');
  const windows = (data?.limits || []).flatMap(({ type, unit, number, percentage, nextResetTime }) => {
    const length = { 1: `${number}d`, 3: `${number}h`, 5: `${number}m` }[unit] ?? 'Limit';
    const label = { TOKENS_LIMIT: `Tokens (${length})`, TIME_LIMIT: 'Monthly' }[type];
    return label ? [{ label, usedPercent: clampPercent(percentage || 0), resetAt: moment(nextResetTime) }] : [];
  });
  return known('zai', windows, { plan: data?.planName || data?.plan || undefined });
}

/** An amount of money as it is written. */
function money(amount, currency) {
  const name = currency?.trim().toUpperCase();
  const sign = { CNY: '¥', RMB: '¥', USD: '$' }[name];
  return sign ? `${sign}${amount.toFixed(2)}` : `${amount.toFixed(2)} ${name ?? ''}`.trim();
}

/** What is left on a DeepSeek account. @param {string} apiKey @param {number} timeoutMs @param {typeof fetch} fetchFn @returns {Promise<UsageSnapshot & {summary?: string}>} */
export async function fetchDeepSeekUsage(apiKey, timeoutMs, fetchFn) {
  const response = await fetchJson('https://api.deepseek.com/user/balance', { method: 'GET', headers: bearer(apiKey) }, timeoutMs, fetchFn);
  if (!response.ok) return buildUsageHttpErrorSnapshot({ provider: 'deepseek', status: response.status });
  const data = await response.json().catch(() => undefined);
  if (!data) return buildUsageErrorSnapshot('deepseek', 'Malformed usage response');
  const balances = (Array.isArray(data.balance_infos) ? data.balance_infos : []).flatMap(({ currency, ...info }) => {
    const [total, granted, paid] = ['total', 'granted', 'topped_up'].map((name) => parseFiniteNumber(info[`${name}_balance`]));
    if (total === undefined) return [];
    const parts = [`Balance ${money(total, currency)}`];
    if (granted > 0) parts.push(`Granted ${money(granted, currency)}`);
    if (paid > 0 && paid !== total) parts.push(`Topped up ${money(paid, currency)}`);
    return [parts.join(' · ')];
  });
  if (balances.length === 0) return buildUsageErrorSnapshot('deepseek', 'No balance data');
  return known('deepseek', [], { summary: balances.join(' · '), ...(data.is_available === false ? { plan: 'Unavailable' } : {}) });
}
