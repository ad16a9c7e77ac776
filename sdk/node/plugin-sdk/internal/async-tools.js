// Waiting, locking and bounded concurrency.

/**
 * Runs tasks with at most `limit` at a time.
 * @param {{tasks: Array<() => Promise<unknown>>, limit: number, errorMode?: 'continue' | 'stop', onTaskError?: (error: unknown, index: number) => void}} params
 * @returns {Promise<{results: unknown[], firstError: unknown, hasError: boolean}>}
 */
export async function runTasksWithConcurrency({ tasks, limit, errorMode = 'continue', onTaskError }) {
  const outcome = { results: new Array(tasks.length).fill(undefined), firstError: undefined, hasError: false };
  const stopped = () => errorMode === 'stop' && outcome.hasError;
  let next = 0;
  const lane = async () => {
    while (next < tasks.length && !stopped()) {
      const index = next++;
      try {
        outcome.results[index] = await tasks[index]();
      } catch (error) {
        if (!outcome.hasError) Object.assign(outcome, { hasError: true, firstError: error });
        onTaskError?.(error, index);
      }
    }
  };
  const lanes = Math.min(Math.max(1, limit), tasks.length);
  await Promise.allSettled(Array.from({ length: lanes }, lane));
  return outcome;
}

/**
 * A lock within this process: callers run one after the other, in their order.
 * @returns {<T>(fn: () => Promise<T>) => Promise<T>}
 */
export function createAsyncLock() {
  let tail = Promise.resolve();
  return (fn) => {
    const run = tail.then(fn);
    tail = run.then(() => {}, () => {});
    return run;
  };
}

/**
 * Waits until a signal is aborted; returns at once without one.
 * @param {AbortSignal} [signal]
 * @returns {Promise<void>}
 */
export function waitForAbortSignal(signal) {
  if (!signal || signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}

/**
 * @param {number} ms
 * @returns {Promise<void>}
 */
export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/**
 * Sleeps; fails with `aborted` when the signal ends the wait.
 * @param {number} ms
 * @param {AbortSignal} [abortSignal]
 * @returns {Promise<void>}
 */
export function sleepWithAbort(ms, abortSignal) {
  if (!(ms > 0)) return Promise.resolve();
  return new Promise((resolve, reject) => {
    const fail = () => {
      clearTimeout(timer);
      reject(new Error('aborted', { cause: abortSignal.reason ?? new Error('aborted') }));
    };
    const timer = setTimeout(() => {
      abortSignal?.removeEventListener('abort', fail);
      resolve();
    }, ms);
    if (abortSignal?.aborted) fail();
    else abortSignal?.addEventListener('abort', fail, { once: true });
  });
}

/**
 * The delay before an attempt: it grows by a factor, with random jitter on top, up to a limit.
 * @param {{initialMs: number, maxMs: number, factor: number, jitter: number}} policy
 * @param {number} attempt counted from 1
 * @returns {number} milliseconds
 */
export function computeBackoff({ initialMs, maxMs, factor, jitter }, attempt) {
  const delay = initialMs * factor ** Math.max(0, attempt - 1);
  return Math.min(maxMs, Math.round(delay * (1 + jitter * Math.random())));
}

/**
 * Fails when a promise takes too long.
 * @template T
 * @param {Promise<T>} promise
 * @param {number} timeoutMs without one, or with 0, it may take any time
 * @param {string | {label?: string, message?: string, createError?: () => Error}} [labelOrOptions] what the message names
 * @returns {Promise<T>}
 */
export async function withTimeout(promise, timeoutMs, labelOrOptions = { message: 'timeout' }) {
  if (!(timeoutMs > 0) || timeoutMs === Infinity) return promise;
  const { label = 'operation', message, createError } = typeof labelOrOptions === 'string' ? { label: labelOrOptions } : labelOrOptions;
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(createError?.() ?? new Error(message ?? `${label} timed out after ${timeoutMs}ms`)), timeoutMs);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}
