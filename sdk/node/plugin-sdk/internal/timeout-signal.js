// Time limits as abort signals.

/**
 * A signal that ends with another one or after a time.
 * @param {{timeoutMs?: number, signal?: AbortSignal, operation?: string, url?: string}} params
 * @returns {{signal: AbortSignal | undefined, cleanup: () => void, refresh: () => void}}
 */
export function buildTimeoutAbortSignal({ timeoutMs, signal }) {
  if (!timeoutMs) return { signal, cleanup() {}, refresh() {} };
  const waitMs = Math.max(1, Math.floor(timeoutMs));
  const controller = new AbortController();
  const fire = () => controller.abort(new DOMException(`request timed out after ${waitMs}ms`, 'TimeoutError'));
  const relay = () => controller.abort(signal.reason);
  let timer = setTimeout(fire, waitMs);
  let active = true;
  if (signal?.aborted) relay();
  signal?.addEventListener('abort', relay, { once: true });
  return {
    signal: controller.signal,
    cleanup() {
      active = false;
      clearTimeout(timer);
      signal?.removeEventListener('abort', relay);
    },
    refresh() {
      if (!active || controller.signal.aborted) return;
      clearTimeout(timer);
      timer = setTimeout(fire, waitMs);
    },
  };
}
