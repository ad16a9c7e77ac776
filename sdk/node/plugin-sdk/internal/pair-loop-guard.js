// Stops two bots that would answer each other for ever.

/** Settings as the configuration has them, in seconds. */
export const DEFAULT_PAIR_LOOP_GUARD_CONFIG = { enabled: true, maxEventsPerWindow: 20, windowSeconds: 60, cooldownSeconds: 60 };
/** The same in milliseconds. */
export const DEFAULT_PAIR_LOOP_GUARD_SETTINGS = { enabled: true, maxEventsPerWindow: 20, windowMs: 60_000, cooldownMs: 60_000 };
const KEYS = Object.keys(DEFAULT_PAIR_LOOP_GUARD_CONFIG);
const PRUNE_INTERVAL_MS = 60_000;

/** Later settings over earlier ones; `undefined` when none says anything. @param {...(Record<string, any>|undefined|null)} configs @returns {Record<string, any>|undefined} */
export function mergePairLoopGuardConfig(...configs) {
  const set = configs.flatMap((config) => KEYS.filter((key) => config?.[key] !== undefined).map((key) => [key, config[key]]));
  return set.length > 0 ? Object.fromEntries(set) : undefined;
}

/** The settings in force. @param {{config?: any, defaultsConfig?: any, defaultEnabled: boolean}} params @returns {{enabled: boolean, maxEventsPerWindow: number, windowMs: number, cooldownMs: number}} */
export function resolvePairLoopGuardSettings({ config, defaultsConfig, defaultEnabled }) {
  const chosen = (key, fits) => [config?.[key], defaultsConfig?.[key], DEFAULT_PAIR_LOOP_GUARD_CONFIG[key]].find(fits);
  const positive = (value) => Number.isInteger(value) && value > 0;
  return {
    enabled: defaultEnabled && chosen('enabled', (value) => typeof value === 'boolean'),
    maxEventsPerWindow: chosen('maxEventsPerWindow', positive),
    windowMs: chosen('windowSeconds', positive) * 1000,
    cooldownMs: chosen('cooldownSeconds', positive) * 1000,
  };
}

/** The same pair in both directions. */
function pairKey({ scopeId, conversationId, senderId, receiverId }) {
  return JSON.stringify([scopeId, conversationId, ...[senderId, receiverId].sort()]);
}

/**
 * Counts the messages between two senders of a conversation; too many in a window, and the pair is silenced for a while.
 * @param {{pruneIntervalMs?: number}} [params]
 */
export function createPairLoopGuard(params) {
  const pairs = new Map();
  const pruneIntervalMs = params?.pruneIntervalMs ?? PRUNE_INTERVAL_MS;
  let nextPruneMs = 0;
  const prune = (nowMs) => {
    if (pruneIntervalMs <= 0 || nowMs < nextPruneMs) return;
    nextPruneMs = nowMs + pruneIntervalMs;
    for (const [key, pair] of pairs) {
      pair.recent = pair.recent.filter((at) => at > nowMs - pair.windowMs);
      if (pair.recent.length === 0 && pair.until <= nowMs) pairs.delete(key);
    }
  };
  return {
    /** Counts one message. @param {any} event @returns {{suppressed: boolean, cooldownUntilMs?: number}} */
    recordAndCheck(event) {
      const { settings, scopeId, conversationId, senderId, receiverId, nowMs = Date.now() } = event;
      const known = scopeId && conversationId && senderId && receiverId && senderId !== receiverId;
      const [limit, windowMs, cooldownMs] = [settings.maxEventsPerWindow, settings.windowMs, settings.cooldownMs].map(Math.floor);
      if (!settings.enabled || !known || !(limit > 0 && windowMs > 0 && cooldownMs > 0)) return { suppressed: false };
      prune(nowMs);
      const key = pairKey(event);
      const pair = pairs.get(key) ?? { recent: [], from: 0, until: 0 };
      pairs.set(key, pair);
      if (pair.from <= nowMs && pair.until > nowMs) return { suppressed: true, cooldownUntilMs: pair.until };
      pair.windowMs = windowMs;
      pair.recent = [...pair.recent.filter((at) => at > nowMs - windowMs), nowMs];
      // Events may come late: those after this one do not count for it.
      if (pair.recent.filter((at) => at <= nowMs).length <= limit) return { suppressed: false };
      Object.assign(pair, { from: nowMs, until: nowMs + cooldownMs, recent: pair.recent.filter((at) => at > nowMs) });
      return { suppressed: true, cooldownUntilMs: pair.until };
    },
    clear() {
      pairs.clear();
      nextPruneMs = 0;
    },
    snapshot: () => [...pairs].map(([key, { recent, until }]) => ({ key, recentCount: recent.length, cooldownUntilMs: until })),
  };
}
