// Waiting for something outside to come up.
import { danger } from './terminal.js';
import { sleepWithAbort } from './async-tools.js';

/**
 * Asks again and again until the transport is ready.
 * @param {{label: string, timeoutMs: number, check: () => Promise<{ok: boolean, error?: string | null}>, runtime: {error?: (text: string) => void}, abortSignal?: AbortSignal, logAfterMs?: number, logIntervalMs?: number, pollIntervalMs?: number}} params
 * @returns {Promise<void>} rejects when the time is over; returns when it was aborted
 */
export async function waitForTransportReady(params) {
  const { label, check, runtime, abortSignal } = params;
  const timeoutMs = Math.max(0, params.timeoutMs);
  const logEveryMs = Math.max(1000, params.logIntervalMs ?? 30_000);
  const pollMs = Math.max(50, params.pollIntervalMs ?? 150);
  const started = Date.now();
  let nextLog = started + Math.max(0, params.logAfterMs ?? timeoutMs);
  while (!abortSignal?.aborted) {
    const state = await check();
    if (state.ok) return;
    const reason = state.error ?? 'unknown error';
    const elapsed = Date.now() - started;
    if (elapsed >= timeoutMs) {
      runtime.error?.(danger(`${label} not ready after ${timeoutMs}ms (${reason})`));
      throw new Error(`${label} not ready (${reason})`);
    }
    if (Date.now() >= nextLog) {
      runtime.error?.(danger(`${label} not ready after ${elapsed}ms (${reason})`));
      nextLog = Date.now() + logEveryMs;
    }
    await sleepWithAbort(pollMs, abortSignal).catch((error) => {
      if (!abortSignal?.aborted) throw error;
    });
  }
}
