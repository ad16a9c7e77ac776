// Failed log-ins per address: after too many the address waits.
import { isLoopbackAddress, normalizeIpAddress } from './client-ip.js';

/**
 * @param {{maxAttempts?: number, windowMs?: number, lockoutMs?: number, exemptLoopback?: boolean, pruneIntervalMs?: number}} [config]
 * @returns {{check: (ip?: string, scope?: string) => {allowed: boolean, remaining: number, retryAfterMs: number}, recordFailure: (ip?: string, scope?: string) => void, reset: (ip?: string, scope?: string) => void, size: () => number, prune: () => void, dispose: () => void}}
 */
export function createAuthRateLimiter(config = {}) {
  const { maxAttempts = 10, windowMs = 60_000, lockoutMs = 300_000, exemptLoopback = true, pruneIntervalMs = 60_000 } = config;
  const rows = new Map();
  const keyOf = (ip, scope) => `${scope?.trim() || 'default'}:${normalizeIpAddress(ip) ?? (ip?.trim() || 'unknown')}`;
  const exempt = (ip) => exemptLoopback && isLoopbackAddress(ip);
  const recent = (row, now) => row.attempts.filter((at) => at > now - windowMs);
  const locked = (row, now) => row.lockedUntil !== undefined && now < row.lockedUntil;
  const prune = () => {
    const now = Date.now();
    for (const [key, row] of rows) if (!locked(row, now) && (row.attempts = recent(row, now)).length === 0) rows.delete(key);
  };
  const timer = pruneIntervalMs > 0 ? setInterval(prune, pruneIntervalMs) : undefined;
  timer?.unref();
  return {
    check(ip, scope) {
      const now = Date.now();
      const row = rows.get(keyOf(ip, scope));
      if (exempt(ip) || !row) return { allowed: true, remaining: maxAttempts, retryAfterMs: 0 };
      if (locked(row, now)) return { allowed: false, remaining: 0, retryAfterMs: row.lockedUntil - now };
      row.attempts = row.lockedUntil === undefined ? recent(row, now) : [];
      row.lockedUntil = undefined;
      const remaining = Math.max(0, maxAttempts - row.attempts.length);
      return { allowed: remaining > 0, remaining, retryAfterMs: 0 };
    },
    recordFailure(ip, scope) {
      const now = Date.now();
      if (exempt(ip)) return;
      const row = rows.get(keyOf(ip, scope)) ?? { attempts: [] };
      rows.set(keyOf(ip, scope), row);
      if (locked(row, now)) return;
      row.attempts = [...recent(row, now), now];
      if (row.attempts.length >= maxAttempts) row.lockedUntil = now + lockoutMs;
    },
    reset: (ip, scope) => void rows.delete(keyOf(ip, scope)),
    size: () => rows.size,
    prune,
    dispose() {
      clearInterval(timer);
      rows.clear();
    },
  };
}

/**
 * A message of a WebSocket as text.
 * @param {string | Buffer | ArrayBuffer | Buffer[]} data
 * @param {BufferEncoding} [encoding]
 * @returns {string}
 */
export function rawDataToString(data, encoding = 'utf8') {
  if (typeof data === 'string') return data;
  if (Array.isArray(data)) return Buffer.concat(data).toString(encoding);
  return (data instanceof ArrayBuffer || ArrayBuffer.isView(data) ? Buffer.from(data.buffer ?? data, data.byteOffset, data.byteLength) : Buffer.from(String(data))).toString(encoding);
}
