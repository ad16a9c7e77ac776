// Joins messages that come in quick succession.
import { hasControlCommand } from './commands.js';
import { normalizeOptionalString } from './strings.js';

const MAX_KEYS = 1024;
const whole = (value) => (Number.isFinite(value) ? Math.max(0, Math.trunc(value)) : undefined);

/** How long messages are waited for, in milliseconds. @param {{cfg: any, channel: string, overrideMs?: number}} params @returns {number} */
export function resolveInboundDebounceMs({ cfg, channel, overrideMs }) {
  const inbound = cfg.messages?.inbound;
  return whole(overrideMs) ?? whole(inbound?.byChannel?.[channel]) ?? whole(inbound?.debounceMs) ?? 0;
}

/** Whether a text may wait: nothing with media, and no command. @param {any} params @returns {boolean} */
export function shouldDebounceTextInbound({ text, hasMedia, allowDebounce }) {
  const plain = normalizeOptionalString(text);
  return allowDebounce !== false && !hasMedia && plain !== undefined && !hasControlCommand(plain);
}

/**
 * Collects items by key and hands them over together; those of a key never overtake one another.
 * @param {{debounceMs: number, buildKey: (item: any) => string|null|undefined, onFlush: (items: any[]) => any, shouldDebounce?: (item: any) => boolean,
 *   resolveDebounceMs?: (item: any) => number|undefined, onError?: (error: unknown, items: any[]) => void, onCancel?: (items: any[]) => void,
 *   maxTrackedKeys?: number, serializeImmediate?: boolean}} params
 */
export function createInboundDebouncer({ debounceMs, buildKey, onFlush, shouldDebounce = () => true, resolveDebounceMs, onError, onCancel, maxTrackedKeys = MAX_KEYS, serializeImmediate }) {
  const maxKeys = Math.max(1, Math.trunc(maxTrackedKeys));
  /** Batches that still wait, and the last piece of work of each key. */
  const waiting = new Map();
  const last = new Map();

  const quietly = (work) => {
    try {
      work?.();
    } catch {
      // A listener's own failure changes nothing here.
    }
  };
  const flush = async (items) => {
    if (items.length === 0) return;
    try {
      await onFlush(items);
    } catch (error) {
      quietly(() => onError?.(error, items));
    }
  };
  const follow = (key, work) => {
    const done = (last.get(key) ?? Promise.resolve()).then(work);
    last.set(key, done);
    void done.finally(() => last.get(key) === done && last.delete(key));
    return done;
  };
  /** Ends the wait of a batch; its work runs in the place that it was given when it began. */
  const close = (key) => {
    const batch = waiting.get(key);
    if (!batch) return undefined;
    waiting.delete(key);
    clearTimeout(batch.timer);
    batch.open();
    return batch;
  };
  const schedule = (key, batch) => {
    clearTimeout(batch.timer);
    batch.timer = setTimeout(() => close(key), batch.ms);
    batch.timer.unref?.();
  };
  const begin = (key, item, ms) => {
    const batch = { items: [item], ms };
    const opened = new Promise((resolve) => (batch.open = resolve));
    batch.done = follow(key, async () => {
      await opened;
      await flush(batch.items);
    });
    waiting.set(key, batch);
    schedule(key, batch);
  };
  return {
    async enqueue(item) {
      const key = buildKey(item);
      const ms = whole(resolveDebounceMs?.(item)) ?? whole(debounceMs) ?? 0;
      if (!key) return flush([item]);
      if (ms > 0 && shouldDebounce(item)) {
        const batch = waiting.get(key);
        if (batch) {
          batch.items.push(item);
          batch.ms = ms;
          return schedule(key, batch);
        }
        if (last.has(key) || new Set([...waiting.keys(), ...last.keys()]).size < maxKeys) return begin(key, item, ms);
        return follow(key, () => flush([item]));
      }
      close(key);
      return last.has(key) || serializeImmediate ? follow(key, () => flush([item])) : flush([item]);
    },
    async flushKey(key) {
      await close(key)?.done;
    },
    cancelKey(key) {
      const batch = waiting.get(key);
      if (!batch) return false;
      const items = batch.items.splice(0);
      close(key);
      quietly(() => onCancel?.(items));
      return true;
    },
  };
}

/** The same with the time that is configured for a channel. @param {any} params @returns {{debounceMs: number, debouncer: any}} */
export function createChannelInboundDebouncer({ cfg, channel, debounceMsOverride, ...params }) {
  const debounceMs = resolveInboundDebounceMs({ cfg, channel, overrideMs: debounceMsOverride });
  return { debounceMs, debouncer: createInboundDebouncer({ debounceMs, ...params }) };
}
