// Which credentials of a provider are used, in which order, and how long a failed one rests.
import { resolveDefaultAgentDir } from '../agents.js';
import { coerceSecretRef, normalizeSecretInputString } from '../secrets.js';
import { normalizeOptionalString } from '../strings.js';
import { normalizeProviderId } from '../provider/id.js';
import { resolveEnvApiKey, resolveProviderIdForAuth } from './env-names.js';
import { loadAuthProfileStore, saveAuthProfileStore, updateAuthProfileStoreWithLock } from './store.js';

/** How long before its end a sign-in counts as used up, in milliseconds. */
export const DEFAULT_OAUTH_REFRESH_MARGIN_MS = 300_000;
export const CLAUDE_CLI_PROFILE_ID = 'anthropic:claude-cli';
export const CODEX_CLI_PROFILE_ID = 'openai-codex:codex-cli';
const REASONS = ['auth_permanent', 'auth', 'billing', 'format', 'model_not_found', 'overloaded', 'timeout', 'rate_limit', 'empty_response', 'no_error_details', 'unclassified', 'unknown'];

const sameProvider = (left, right) => resolveProviderIdForAuth(left) === resolveProviderIdForAuth(right);
const neverRests = (provider) => ['openrouter', 'kilocode'].includes(normalizeProviderId(provider ?? ''));
const time = (value) => (typeof value === 'number' && Number.isFinite(value) && value > 0 ? value : 0);
const restsUntil = (stats) => Math.max(time(stats?.blockedUntil), time(stats?.cooldownUntil), time(stats?.disabledUntil)) || null;

/** Profile ids, each once. @param {string[]} ids @returns {string[]} */
export const dedupeProfileIds = (ids) => [...new Set(ids)];
/** The profiles of a provider. @param {{ profiles: object }} store @param {string} provider @returns {string[]} */
export const listProfilesForProvider = (store, provider) => Object.keys(store.profiles).filter((id) => sameProvider(store.profiles[id].provider, provider));

/** Whether a profile rests. @param {object} store @param {string} profileId @param {number} [now] @param {string} [forModel] @returns {boolean} */
export function isProfileInCooldown(store, profileId, now = Date.now(), forModel) {
  const stats = store.usageStats?.[profileId];
  if (!stats || neverRests(store.profiles[profileId]?.provider)) return false;
  const otherModel = forModel && stats.cooldownReason === 'rate_limit' && stats.cooldownModel && stats.cooldownModel !== forModel;
  if (otherModel && time(stats.disabledUntil) <= now) return false;
  return now < (restsUntil(stats) ?? 0);
}
/** Until when a profile rests, for people. @param {object} store @param {string} profileId @returns {number | null} */
export const resolveProfileUnusableUntilForDisplay = (store, profileId) => (neverRests(store.profiles[profileId]?.provider) ? null : restsUntil(store.usageStats?.[profileId]));
/** When the first of some profiles may be used again. @param {object} store @param {string[]} profileIds @returns {number | null} */
export function getSoonestCooldownExpiry(store, profileIds) {
  const ends = profileIds.map((id) => restsUntil(store.usageStats?.[id])).filter(Boolean);
  return ends.length > 0 ? Math.min(...ends) : null;
}

/** Forgets rests that are over, in place; whether there were any. @param {object} store @param {number} [now] @returns {boolean} */
export function clearExpiredCooldowns(store, now = Date.now()) {
  const groups = { cooldown: ['Until', 'Reason', 'Model'], blocked: ['Until', 'Reason', 'Source', 'Model'], disabled: ['Until', 'Reason'] };
  let changed = false;
  for (const stats of Object.values(store.usageStats ?? {}).filter(Boolean)) {
    const over = Object.keys(groups).filter((name) => time(stats[`${name}Until`]) && now >= stats[`${name}Until`]);
    for (const name of over) for (const part of groups[name]) stats[name + part] = undefined;
    if (over.length === 0) continue;
    changed = true;
    if (!restsUntil(stats)) Object.assign(stats, { errorCount: 0, failureCounts: undefined });
  }
  return changed;
}

/** Why none of some profiles can be used. @param {{ store: object, profileIds: string[], now?: number }} params @returns {string | null} */
export function resolveProfilesUnavailableReason({ store, profileIds, now = Date.now() }) {
  const scores = new Map();
  const add = (reason, score) => REASONS.includes(reason) && score > 0 && Number.isFinite(score) && scores.set(reason, (scores.get(reason) ?? 0) + score);
  for (const stats of profileIds.map((id) => store.usageStats?.[id]).filter(Boolean)) {
    if (now < time(stats.disabledUntil) && REASONS.includes(stats.disabledReason)) add(stats.disabledReason, 1000);
    else if (now < time(stats.blockedUntil)) add('rate_limit', 1000);
    else if (now < time(stats.cooldownUntil)) {
      const counts = Object.entries(stats.failureCounts ?? {}).filter(([reason, count]) => REASONS.includes(reason) && count > 0);
      for (const [reason, count] of counts) add(reason, count);
      if (counts.length === 0) add('unknown', 1);
    }
  }
  return REASONS.filter((reason) => scores.has(reason)).sort((a, b) => scores.get(b) - scores.get(a))[0] ?? null;
}

/** How long a profile rests after so many failures, in milliseconds. @param {number} errorCount @returns {number} */
export const calculateAuthProfileCooldownMs = (errorCount) => (errorCount <= 1 ? 30_000 : errorCount <= 2 ? 60_000 : 300_000);

function expiry(expires, now, within = 0) {
  if (expires === undefined) return 'missing';
  if (!time(expires)) return 'invalid_expires';
  if (expires <= now) return 'expired';
  return within > 0 && expires - now <= within ? 'expiring' : 'valid';
}
/** Whether a sign-in can be used for some time. @param {object} [credential] @param {{ now?: number, refreshMarginMs?: number }} [opts] @returns {boolean} */
export const hasUsableOAuthCredential = (credential, { now = Date.now(), refreshMarginMs = DEFAULT_OAUTH_REFRESH_MARGIN_MS } = {}) =>
  credential?.type === 'oauth' && Boolean(normalizeSecretInputString(credential.access)) && expiry(credential.expires, now, Math.max(0, refreshMarginMs)) === 'valid';

function credentialProblem(credential, now) {
  const has = (value, ref) => Boolean(normalizeSecretInputString(value)) || coerceSecretRef(ref) !== null;
  if (credential.type === 'api_key') return has(credential.key, credential.keyRef) ? 'ok' : 'missing_credential';
  if (credential.type === 'token') {
    if (!has(credential.token, credential.tokenRef)) return 'missing_credential';
    const state = expiry(credential.expires, now);
    return state === 'expired' || state === 'invalid_expires' ? state : 'ok';
  }
  return has(credential.access) || has(credential.refresh) || credential.oauthRef ? 'ok' : 'missing_credential';
}
/** Whether a profile can be used, and why not. @param {{ cfg?: object, store: object, provider: string, profileId: string, now?: number }} params @returns {{ eligible: boolean, reasonCode: string }} */
export function resolveAuthProfileEligibility({ cfg, store, provider, profileId, now = Date.now() }) {
  const credential = store.profiles[profileId];
  const configured = cfg?.auth?.profiles?.[profileId];
  const no = (reasonCode) => ({ eligible: false, reasonCode });
  if (!credential) return no('profile_missing');
  if (!sameProvider(credential.provider, provider) || (configured && !sameProvider(configured.provider, provider))) return no('provider_mismatch');
  if (configured && configured.mode !== credential.type && !(configured.mode === 'oauth' && credential.type === 'token')) return no('mode_mismatch');
  const reasonCode = credentialProblem(credential, now);
  return { eligible: reasonCode === 'ok', reasonCode };
}

const listed = (lists, provider) => Object.entries(lists ?? {}).find(([id]) => sameProvider(id, provider))?.[1];
/** The profiles of a provider that can be used, the best first. @param {{ cfg?: object, store: object, provider: string, preferredProfile?: string }} params @returns {string[]} */
export function resolveAuthProfileOrder({ cfg, store, provider, preferredProfile }) {
  const now = Date.now();
  clearExpiredCooldowns(store, now);
  const explicit = listed(store.order, provider) ?? listed(cfg?.auth?.order, provider);
  const configured = Object.entries(cfg?.auth?.profiles ?? {}).filter(([, profile]) => sameProvider(profile.provider, provider)).map(([id]) => id);
  const stored = listProfilesForProvider(store, provider);
  const usable = (ids) => dedupeProfileIds(ids.filter((profileId) => resolveAuthProfileEligibility({ cfg, store, provider, profileId, now }).eligible));
  const base = explicit ?? (configured.length > 0 ? configured : stored);
  const found = usable(base);
  const ids = found.length === 0 && configured.length > 0 && base.every((id) => !store.profiles[id]) ? usable(stored) : found;
  const rests = (id) => isProfileInCooldown(store, id, now);
  const rank = { oauth: 0, token: 1, api_key: 2 };
  const ready = ids.filter((id) => !rests(id));
  if (!explicit?.length) {
    const used = (id) => store.usageStats?.[id]?.lastUsed ?? 0;
    ready.sort((a, b) => (rank[store.profiles[a]?.type] ?? 3) - (rank[store.profiles[b]?.type] ?? 3) || used(a) - used(b));
  }
  const until = (id) => restsUntil(store.usageStats?.[id]) ?? now;
  const order = [...ready, ...ids.filter(rests).sort((a, b) => until(a) - until(b))];
  return preferredProfile && order.includes(preferredProfile) ? [preferredProfile, ...order.filter((id) => id !== preferredProfile)] : order;
}

/** The usable profiles of a provider and where they are. @param {{ provider: string, cfg?: object, agentDir?: string }} params @returns {{ agentDir: string, profileIds: string[] }} */
export function listUsableProviderAuthProfileIds({ provider, cfg, agentDir }) {
  const directory = agentDir?.trim() || resolveDefaultAgentDir(cfg ?? {});
  return { agentDir: directory, profileIds: resolveAuthProfileOrder({ cfg, store: loadAuthProfileStore(directory), provider }) };
}
/** Whether there is any. @param {{ provider: string, cfg?: object, agentDir?: string }} params @returns {boolean} */
export const isProviderAuthProfileConfigured = (params) => listUsableProviderAuthProfileIds(params).profileIds.length > 0;
/** Whether a provider's key is in the environment or stored. @param {{ provider: string, agentDir?: string }} params @returns {boolean} */
export const isProviderApiKeyConfigured = ({ provider, agentDir }) =>
  Boolean(resolveEnvApiKey(provider)) || (Boolean(agentDir?.trim()) && listProfilesForProvider(loadAuthProfileStore(agentDir.trim()), provider).length > 0);

/** A profile's id with its name. @param {{ cfg?: object, store: object, profileId: string }} params @returns {string} */
export function resolveAuthProfileDisplayLabel({ cfg, store, profileId }) {
  const [configured, stored] = [cfg?.auth?.profiles?.[profileId], store.profiles?.[profileId]];
  const name = ['displayName', 'email'].map((key) => normalizeOptionalString(configured?.[key]) ?? normalizeOptionalString(stored?.[key])).find(Boolean);
  return name ? `${profileId} (${name})` : profileId;
}

/** Changes a profile's record in the file, or in memory when the file cannot be written. */
async function record({ store, profileId, agentDir }, change) {
  const updater = (fresh) => {
    if (!fresh.profiles[profileId]) return false;
    change(fresh);
    return true;
  };
  const saved = await updateAuthProfileStoreWithLock({ agentDir, updater });
  if (saved) return Object.assign(store, { usageStats: saved.usageStats, lastGood: saved.lastGood });
  if (updater(store)) saveAuthProfileStore(store, agentDir);
  return store;
}
const setStats = (store, id, change) => void (store.usageStats = { ...store.usageStats, [id]: change(store.usageStats?.[id] ?? {}) });

/** Remembers that a profile worked. @param {{ store: object, provider: string, profileId: string, agentDir?: string }} params @returns {Promise<void>} */
export async function markAuthProfileSuccess(params) {
  const { provider, profileId, store } = params;
  if (!store.profiles[profileId] || !sameProvider(store.profiles[profileId].provider, provider)) return;
  await record(params, (fresh) => {
    fresh.lastGood = { ...fresh.lastGood, [resolveProviderIdForAuth(provider)]: profileId };
    setStats(fresh, profileId, () => ({ errorCount: 0, lastUsed: Date.now() }));
  });
}

function afterFailure(stats, reason, modelId, cfg) {
  const now = Date.now();
  const window = (cfg?.auth?.cooldowns?.failureWindowHours ?? 24) * 3_600_000;
  const fresh = (time(stats.lastFailureAt) && now - stats.lastFailureAt > window) || (restsUntil(stats) && now >= restsUntil(stats));
  const counts = fresh ? {} : { ...stats.failureCounts };
  counts[reason] = (counts[reason] ?? 0) + 1;
  const errorCount = (fresh ? 0 : stats.errorCount ?? 0) + 1;
  const next = { ...stats, errorCount, failureCounts: counts, lastFailureAt: now };
  const keep = (until, added) => (time(until) > now ? until : now + added);
  if (reason === 'billing' || reason === 'auth_permanent') {
    const base = reason === 'billing' ? (cfg?.auth?.cooldowns?.billingBackoffHours ?? 5) * 3_600_000 : 600_000;
    const most = reason === 'billing' ? (cfg?.auth?.cooldowns?.billingMaxHours ?? 24) * 3_600_000 : 3_600_000;
    return { ...next, disabledUntil: keep(stats.disabledUntil, Math.min(most, base * 2 ** Math.min(10, counts[reason] - 1))), disabledReason: reason };
  }
  const resting = time(stats.cooldownUntil) > now;
  const model = reason !== 'rate_limit' ? undefined : !resting ? modelId : stats.cooldownModel === modelId ? modelId : undefined;
  return { ...next, cooldownUntil: keep(stats.cooldownUntil, calculateAuthProfileCooldownMs(errorCount)), cooldownReason: reason, cooldownModel: model };
}
/** Remembers that a profile failed; it rests for a while. @param {{ store: object, profileId: string, reason: string, agentDir?: string, cfg?: object, modelId?: string }} params @returns {Promise<void>} */
export async function markAuthProfileFailure(params) {
  const { store, profileId, reason, modelId, cfg } = params;
  if (!store.profiles[profileId] || neverRests(store.profiles[profileId].provider)) return;
  await record(params, (fresh) => setStats(fresh, profileId, (stats) => afterFailure(stats, reason, modelId, cfg)));
}
/** The same without a known reason. @param {{ store: object, profileId: string, agentDir?: string }} params @returns {Promise<void>} */
export const markAuthProfileCooldown = (params) => markAuthProfileFailure({ ...params, reason: 'unknown' });
/** Lets a profile rest until a time. @param {{ store: object, profileId: string, blockedUntil: number, agentDir?: string, modelId?: string, source?: string }} params @returns {Promise<void>} */
export async function markAuthProfileBlockedUntil(params) {
  const { store, profileId, blockedUntil, modelId, source } = params;
  if (!store.profiles[profileId] || neverRests(store.profiles[profileId].provider) || !(time(blockedUntil) > Date.now())) return;
  const change = (stats) => ({
    ...stats, blockedUntil: Math.max(time(stats.blockedUntil), blockedUntil), blockedReason: 'subscription_limit', blockedSource: source, blockedModel: modelId,
    cooldownUntil: undefined, cooldownReason: undefined, cooldownModel: undefined, lastFailureAt: Date.now(),
    failureCounts: { ...stats.failureCounts, rate_limit: (stats.failureCounts?.rate_limit ?? 0) + 1 },
  });
  await record(params, (fresh) => setStats(fresh, profileId, change));
}
/** Lets a profile be used again. @param {{ store: object, profileId: string, agentDir?: string }} params @returns {Promise<void>} */
export async function clearAuthProfileCooldown(params) {
  const rest = ['Until', 'Reason', 'Model', 'Source'].flatMap((part) => ['cooldown', 'blocked', 'disabled'].map((name) => name + part));
  await record(params, (fresh) => setStats(fresh, params.profileId, (stats) => ({ ...Object.fromEntries(Object.entries(stats).filter(([key]) => !rest.includes(key) && key !== 'failureCounts')), errorCount: 0 })));
}

/** The sign-in that took the place of a profile named `default`. @param {{ cfg?: object, store: object, provider: string, legacyProfileId: string }} params @returns {string | null} */
export function suggestOAuthProfileIdForLegacyDefault({ cfg, store, provider, legacyProfileId }) {
  const key = normalizeProviderId(provider);
  const suffix = (id) => id.slice(id.indexOf(':') + 1);
  const former = cfg?.auth?.profiles?.[legacyProfileId];
  if (!legacyProfileId.includes(':') || suffix(legacyProfileId) !== 'default') return null;
  if (former && normalizeProviderId(former.provider) === key && former.mode !== 'oauth') return null;
  const found = listProfilesForProvider(store, key).filter((id) => store.profiles[id].type === 'oauth');
  const email = former?.email?.trim();
  const emailOf = (id) => normalizeOptionalString(cfg?.auth?.profiles?.[id]?.email) ?? normalizeOptionalString(store.profiles[id].email);
  const byEmail = email && found.find((id) => emailOf(id) === email || id === `${key}:${email}`);
  const good = store.lastGood?.[key] ?? store.lastGood?.[provider];
  const others = found.filter((id) => id !== legacyProfileId);
  const addressed = others.filter((id) => /@.*\.|\..*@/.test(suffix(id)));
  return byEmail || (found.includes(good) && good) || (others.length === 1 && others[0]) || (addressed.length === 1 && addressed[0]) || null;
}
