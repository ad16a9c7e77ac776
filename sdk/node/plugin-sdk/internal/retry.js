// Trying again, with growing pauses.
import { formatErrorMessage } from './error-text.js';
import { asFiniteNumber, resolveTimerTimeoutMs } from './numbers.js';
import { createSubsystemLogger } from './host.js';
import { sleep } from './async-tools.js';

const DEFAULTS = { attempts: 3, minDelayMs: 300, maxDelayMs: 30_000, jitter: 0 };
/** Pauses of calls to Telegram. */
export const TELEGRAM_RETRY_DEFAULTS = { attempts: 3, minDelayMs: 400, maxDelayMs: 30_000, jitter: 0.1 };

const within = (value, fallback, min, max = Infinity) => Math.min(Math.max(asFiniteNumber(value) ?? fallback, min), max);
const delayOf = (ms) => resolveTimerTimeoutMs(ms, 0, 0);

/**
 * A complete retry policy: overrides within bounds over defaults.
 * @param {{attempts: number, minDelayMs: number, maxDelayMs: number, jitter: number}} [defaults]
 * @param {object} [overrides] the same members, all optional
 * @returns {{attempts: number, minDelayMs: number, maxDelayMs: number, jitter: number}}
 */
export function resolveRetryConfig(defaults = DEFAULTS, overrides = {}) {
  const minDelayMs = delayOf(Math.round(within(overrides.minDelayMs, defaults.minDelayMs, 0)));
  return {
    attempts: Math.max(1, Math.round(within(overrides.attempts, defaults.attempts, 1))),
    minDelayMs,
    maxDelayMs: Math.max(minDelayMs, delayOf(Math.round(within(overrides.maxDelayMs, defaults.maxDelayMs, 0)))),
    jitter: within(overrides.jitter, defaults.jitter, 0, 1),
  };
}

const asError = (thrown) => (thrown instanceof Error ? thrown : new Error(formatErrorMessage(thrown), { cause: thrown }));

/**
 * Calls until it succeeds or the attempts are used up; then the last error is thrown.
 * @template T
 * @param {() => Promise<T>} fn
 * @param {number | object} [attemptsOrOptions] a count, or a policy with `label`, `shouldRetry(error, attempt)`, `retryAfterMs(error)` and `onRetry(info)`
 * @param {number} [initialDelayMs] the first pause when a count is given; it doubles
 * @returns {Promise<T>}
 */
export async function retryAsync(fn, attemptsOrOptions = 3, initialDelayMs = 300) {
  const counted = typeof attemptsOrOptions === 'number';
  const options = counted ? { attempts: attemptsOrOptions, minDelayMs: initialDelayMs, maxDelayMs: Infinity } : attemptsOrOptions;
  const policy = resolveRetryConfig(DEFAULTS, counted ? { attempts: options.attempts, minDelayMs: initialDelayMs } : options);
  if (counted) policy.maxDelayMs = resolveTimerTimeoutMs(Infinity, Number.MAX_SAFE_INTEGER);
  for (let attempt = 1; ; attempt++) {
    try {
      return await fn();
    } catch (error) {
      if (attempt >= policy.attempts || options.shouldRetry?.(error, attempt) === false) throw asError(error);
      const delayMs = pause(policy, attempt, asFiniteNumber(options.retryAfterMs?.(error)));
      options.onRetry?.({ attempt, maxAttempts: policy.attempts, delayMs, err: error, label: options.label });
      if (delayMs > 0) await sleep(delayMs);
    }
  }
}

/** The pause before the next attempt. What a server asked for is only made longer by jitter. */
function pause({ minDelayMs, maxDelayMs, jitter }, attempt, askedMs) {
  const limit = maxDelayMs > 0 ? maxDelayMs : Infinity;
  const base = Math.min(askedMs === undefined ? minDelayMs * 2 ** (attempt - 1) : Math.max(askedMs, minDelayMs), limit);
  const asked = askedMs !== undefined && askedMs <= limit;
  const spread = jitter > 0 ? base * jitter * (asked ? Math.random() : 2 * Math.random() - 1) : 0;
  return Math.min(Math.max(Math.max(0, Math.round(base + spread)), minDelayMs), limit);
}

/**
 * A runner that retries what a service refused because of its rate limit.
 * @param {object} params `defaults`, `configRetry`, `retry` (policies), `logLabel`, `shouldRetry`, `retryAfterMs`, `verbose`
 * @returns {<T>(fn: () => Promise<T>, label?: string) => Promise<T>}
 */
export function createRateLimitRetryRunner({ defaults, configRetry, retry, logLabel, shouldRetry, retryAfterMs, verbose }) {
  const policy = resolveRetryConfig(defaults, { ...configRetry, ...retry });
  const onRetry = ({ label = 'request', attempt, maxAttempts, delayMs }) =>
    createSubsystemLogger('retry').warn(`${logLabel} ${label} rate limited, retry ${attempt}/${Math.max(1, maxAttempts - 1)} in ${delayMs}ms`);
  return (fn, label) => retryAsync(fn, { ...policy, label, shouldRetry, retryAfterMs, onRetry: verbose ? onRetry : undefined });
}

const TRANSIENT = /429|timeout|connect|reset|closed|unavailable|temporarily/i;

function telegramRetryAfterMs(error) {
  const seconds = [error?.parameters, error?.response?.parameters, error?.error?.parameters].map((part) => part?.retry_after).find(Number.isFinite);
  return seconds === undefined ? undefined : seconds * 1000;
}

/**
 * A runner that retries calls to Telegram which failed for a passing reason.
 * @param {{configRetry?: object, retry?: object, verbose?: boolean, shouldRetry?: (error: unknown) => boolean, strictShouldRetry?: boolean}} params
 * @returns {<T>(fn: () => Promise<T>, label?: string) => Promise<T>}
 */
export function createTelegramRetryRunner({ configRetry, retry, verbose, shouldRetry, strictShouldRetry }) {
  const transient = (error) => TRANSIENT.test(formatErrorMessage(error));
  const decide = (error) => (strictShouldRetry && shouldRetry ? shouldRetry(error) : Boolean(shouldRetry?.(error)) || transient(error));
  const policy = resolveRetryConfig(TELEGRAM_RETRY_DEFAULTS, { ...configRetry, ...retry });
  const onRetry = ({ label = 'request', attempt, maxAttempts, delayMs, err }) =>
    createSubsystemLogger('retry').warn(`telegram send retry ${attempt}/${Math.max(1, maxAttempts - 1)} for ${label} in ${delayMs}ms: ${formatErrorMessage(err)}`);
  return (fn, label) => retryAsync(fn, { ...policy, label, shouldRetry: decide, retryAfterMs: telegramRetryAfterMs, onRetry: verbose ? onRetry : undefined });
}
