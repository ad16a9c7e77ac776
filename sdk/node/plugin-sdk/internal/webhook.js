// Limits for requests from outside.

export const WEBHOOK_RATE_LIMIT_DEFAULTS = Object.freeze({ windowMs: 60_000, maxRequests: 120, maxTrackedKeys: 4096 });

/** Counts requests per key in windows of fixed length. */
export function createFixedWindowRateLimiter(options) {
  const whole = (value) => Math.max(1, Math.floor(value));
  const [windowMs, maxRequests, maxKeys] = [options.windowMs, options.maxRequests, options.maxTrackedKeys].map(whole);
  const pruneEveryMs = whole(options.pruneIntervalMs ?? windowMs);
  const windows = new Map();
  let prunedAt = 0;
  const over = (row, now) => now - row.since >= windowMs;
  return {
    isRateLimited(key, now = Date.now()) {
      if (!key) return false;
      if (now - prunedAt >= pruneEveryMs) {
        for (const [other, row] of windows) if (over(row, now)) windows.delete(other);
        prunedAt = now;
      }
      const known = windows.get(key);
      const row = known && !over(known, now) ? { count: known.count + 1, since: known.since } : { count: 1, since: now };
      windows.delete(key);
      windows.set(key, row);
      for (const other of windows.keys()) {
        if (windows.size <= maxKeys) break;
        windows.delete(other);
      }
      return row.count > maxRequests;
    },
    size: () => windows.size,
    clear() {
      windows.clear();
      prunedAt = 0;
    },
  };
}
