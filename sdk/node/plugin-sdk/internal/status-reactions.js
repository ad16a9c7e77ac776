// One message's reactions that follow a turn: queued, thinking, tools, done.
import { DEFAULT_EMOJIS, DEFAULT_TIMING, resolveToolEmoji } from './ack-reactions.js';

/**
 * Follows a turn with reactions. Changes are debounced and sent one after another; a turn that stands still is marked.
 * @param {{enabled: boolean, adapter: {setReaction: (emoji: string) => Promise<void>, removeReaction?: (emoji: string) => Promise<void>, clearReaction?: () => Promise<void>},
 *   initialEmoji: string, emojis?: Record<string, string>, timing?: Record<string, number>, onError?: (error: unknown) => void}} params
 */
export function createStatusReactionController({ enabled, adapter, initialEmoji, emojis: own, timing: times, onError }) {
  const emojis = { ...DEFAULT_EMOJIS, queued: initialEmoji, ...Object.fromEntries(Object.entries(own ?? {}).filter(([, emoji]) => emoji !== undefined)) };
  const timing = { ...DEFAULT_TIMING, ...times };
  const shown = new Set();
  const timers = { debounce: undefined, soft: undefined, hard: undefined };
  let [current, pending, finished] = ['', '', false];
  let queue = Promise.resolve();

  const stop = (...names) => {
    for (const name of names) {
      clearTimeout(timers[name]);
      timers[name] = undefined;
    }
  };
  const stopAll = () => stop('debounce', 'soft', 'hard');
  const inTurn = (work) => (queue = queue.then(work, work));
  const attempt = async (work) => {
    try {
      await work();
      return true;
    } catch (error) {
      onError?.(error);
      return false;
    }
  };
  /** Where reactions cannot be taken back, setting one replaces the last: it is set again even when it was shown before. */
  const show = async (emoji) => {
    const there = adapter.removeReaction && shown.has(emoji);
    if (!there && !(await attempt(() => adapter.setReaction(emoji)))) return;
    shown.add(emoji);
    current = emoji;
  };
  const removeOthers = async (kept) => {
    if (!adapter.removeReaction) return;
    for (const emoji of [...shown].filter((item) => item !== kept)) {
      await attempt(() => adapter.removeReaction(emoji));
      shown.delete(emoji);
    }
  };
  const watchStall = () => {
    stop('soft', 'hard');
    timers.soft = setTimeout(() => change(emojis.stallSoft, { immediate: true, stall: true }), timing.stallSoftMs);
    timers.hard = setTimeout(() => change(emojis.stallHard, { immediate: true, stall: true }), timing.stallHardMs);
  };
  function change(emoji, { immediate = false, stall = false } = {}) {
    if (!enabled || finished) return;
    if (!stall) watchStall();
    if (emoji === current || emoji === pending) return;
    pending = emoji;
    stop('debounce');
    const apply = () => inTurn(async () => {
      await show(emoji);
      pending = '';
    });
    if (immediate) void apply();
    else timers.debounce = setTimeout(() => {
      timers.debounce = undefined;
      void apply();
    }, timing.debounceMs);
  }
  const settleOn = (emoji) => inTurn(async () => {
    await show(emoji);
    await removeOthers(emoji);
    pending = '';
  });
  const finish = async (emoji) => {
    if (!enabled) return;
    finished = true;
    stopAll();
    await settleOn(emoji);
  };

  return {
    setQueued: () => change(emojis.queued, { immediate: true }),
    setThinking: () => change(emojis.thinking),
    setTool: (toolName) => change(resolveToolEmoji(toolName, emojis)),
    setCompacting: () => change(emojis.compacting),
    cancelPending() {
      stop('debounce');
      pending = '';
    },
    setDone: () => finish(emojis.done),
    setError: () => finish(emojis.error),
    async clear() {
      if (!enabled) return;
      finished = true;
      stopAll();
      await inTurn(async () => {
        if (adapter.clearReaction) {
          await attempt(() => adapter.clearReaction());
          shown.clear();
        } else await removeOthers();
        [current, pending] = ['', ''];
      });
    },
    async restoreInitial() {
      if (!enabled) return;
      const waiting = timers.debounce !== undefined;
      const underway = pending !== '' && !waiting;
      stopAll();
      const clean = [...shown].every((emoji) => emoji === initialEmoji);
      if (current === initialEmoji && !underway && clean) pending = '';
      else if (pending === initialEmoji && underway) await queue;
      else await settleOn(initialEmoji);
    },
  };
}
