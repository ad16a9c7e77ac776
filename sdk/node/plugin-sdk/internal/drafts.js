// Drafts: messages that are edited while a reply grows. Also the life of a channel's runs.
import { formatErrorMessage } from './error-text.js';
import { KeyedAsyncQueue } from './keyed-queue.js';
import { resolveTimerTimeoutMs } from './numbers.js';

const HEARTBEAT_MS = 60_000;

/**
 * Sends the newest text of a growing one, at most once in a while; `false` from the sender keeps the text for later.
 * @param {{throttleMs: number, isStopped: () => boolean, sendOrEditStreamMessage: (text: string) => any, onBackgroundFlushError?: (error: unknown) => void}} params
 */
export function createDraftStreamLoop({ throttleMs: rawMs, isStopped, sendOrEditStreamMessage, onBackgroundFlushError }) {
  const throttleMs = resolveTimerTimeoutMs(rawMs, 0, 0);
  let [pending, lastSentAt] = ['', 0];
  let sending;
  let timer;
  const stopTimer = () => {
    clearTimeout(timer);
    timer = undefined;
  };
  const sendOne = async (text) => {
    try {
      sending = Promise.resolve(sendOrEditStreamMessage(text));
      return await sending;
    } catch (error) {
      pending ||= text;
      throw error;
    } finally {
      sending = undefined;
    }
  };
  const flush = async () => {
    stopTimer();
    while (!isStopped()) {
      if (sending) {
        await sending;
        continue;
      }
      const text = pending;
      pending = '';
      if (!text.trim()) return;
      if ((await sendOne(text)) === false) {
        pending = text;
        return;
      }
      lastSentAt = Date.now();
      if (!pending) return;
    }
  };
  const flushAside = () => void flush().catch((error) => {
    try {
      onBackgroundFlushError?.(error);
    } catch {
      // The listener's own failure changes nothing here.
    }
  });
  return {
    update(text) {
      if (isStopped()) return;
      pending = text;
      const wait = throttleMs - (Date.now() - lastSentAt);
      if (!sending && timer === undefined && wait <= 0) flushAside();
      else timer ??= setTimeout(flushAside, Math.max(0, wait));
    },
    flush,
    stop() {
      pending = '';
      stopTimer();
    },
    resetPending() {
      pending = '';
    },
    resetThrottleWindow() {
      lastSentAt = 0;
      stopTimer();
    },
    waitForInFlight: async () => void (await sending),
  };
}

/** A draft with its end: `stop` sends what is left, `seal` and `discardPending` do not. @param {any} params @returns {any} */
export function createFinalizableDraftStreamControls({ isStopped, isFinal, markStopped, markFinal, ...params }) {
  const loop = createDraftStreamLoop({ ...params, isStopped });
  const settle = async () => {
    loop.stop();
    await loop.waitForInFlight();
  };
  const stopForClear = () => {
    markStopped();
    return settle();
  };
  return {
    loop,
    update: (text) => void (isFinal() || loop.update(text)),
    stop() {
      markFinal();
      return loop.flush();
    },
    seal() {
      markFinal();
      return settle();
    },
    discardPending: stopForClear,
    stopForClear,
  };
}
/** The same over an object `{stopped, final}`. @param {any} params @returns {any} */
export const createFinalizableDraftStreamControlsForState = ({ state, ...params }) =>
  createFinalizableDraftStreamControls({
    ...params,
    isStopped: () => state.stopped,
    isFinal: () => state.final,
    markStopped: () => {
      state.stopped = true;
    },
    markFinal: () => {
      state.final = true;
    },
  });

/** Stops a draft and takes its message's id. @param {any} params @returns {Promise<any>} */
export async function takeMessageIdAfterStop({ stopForClear, readMessageId, clearMessageId }) {
  await stopForClear();
  const id = readMessageId();
  clearMessageId();
  return id;
}
/** Stops a draft and deletes its message. @param {any} params @returns {Promise<void>} */
export async function clearFinalizableDraftMessage({ isValidMessageId, deleteMessage, onDeleteSuccess, warn, warnPrefix, ...params }) {
  const id = await takeMessageIdAfterStop(params);
  if (!isValidMessageId(id)) return;
  try {
    await deleteMessage(id);
    onDeleteSuccess?.(id);
  } catch (error) {
    warn?.(`${warnPrefix}: ${formatErrorMessage(error)}`);
  }
}
/** A draft with its message. @param {any} params @returns {any} */
export function createFinalizableDraftLifecycle(params) {
  const controls = createFinalizableDraftStreamControlsForState(params);
  return { ...controls, clear: () => clearFinalizableDraftMessage({ ...params, stopForClear: controls.stopForClear }) };
}

/** Tells status how many runs are active, and again from time to time while there are any. @param {{setStatus?: (patch: any) => void, abortSignal?: AbortSignal, heartbeatMs?: number, now?: () => number}} params */
export function createRunStateMachine({ setStatus, abortSignal, heartbeatMs = HEARTBEAT_MS, now = Date.now }) {
  let [runs, active] = [0, !abortSignal?.aborted];
  let timer;
  const quiet = () => {
    clearInterval(timer);
    timer = undefined;
  };
  const publish = () => active && setStatus?.({ activeRuns: runs, busy: runs > 0, lastRunActivityAt: now() });
  const deactivate = () => {
    active = false;
    quiet();
  };
  abortSignal?.addEventListener('abort', deactivate, { once: true });
  if (active) setStatus?.({ activeRuns: 0, busy: false });
  return {
    isActive: () => active,
    onRunStart() {
      runs += 1;
      publish();
      if (!active || timer) return;
      timer = setInterval(publish, heartbeatMs);
      timer.unref?.();
    },
    onRunEnd() {
      runs = Math.max(0, runs - 1);
      if (runs === 0) quiet();
      publish();
    },
    deactivate,
  };
}

/** Runs of a channel: those of a key one after another, none after the channel has stopped. @param {{setStatus?: Function, abortSignal?: AbortSignal, onError?: (error: unknown) => void}} params */
export function createChannelRunQueue({ setStatus, abortSignal, onError }) {
  const queue = new KeyedAsyncQueue();
  const state = createRunStateMachine({ setStatus, abortSignal });
  const run = async (task) => {
    if (!state.isActive()) return;
    state.onRunStart();
    try {
      await task({ lifecycleSignal: abortSignal });
    } finally {
      state.onRunEnd();
    }
  };
  return {
    enqueue: (key, task) => void queue.enqueue(key, () => run(task)).catch((error) => {
      try {
        onError?.(error);
      } catch {
        // The listener's own failure changes nothing here.
      }
    }),
    deactivate: state.deactivate,
  };
}

/** Ends when a server closes; an abort runs `onAbort` once and is waited for. @param {{server: import('node:events').EventEmitter, abortSignal?: AbortSignal, onAbort?: () => any}} params @returns {Promise<void>} */
export async function keepHttpServerTaskAlive({ server, abortSignal, onAbort }) {
  let aborting;
  const abort = () => (aborting ??= Promise.resolve(onAbort?.()));
  if (abortSignal?.aborted) abort();
  else abortSignal?.addEventListener('abort', abort, { once: true });
  await new Promise((resolve) => server.once('close', resolve));
  abortSignal?.removeEventListener('abort', abort);
  await aborting;
}

/** Calls back once when an armed transport stays silent for too long. @param {any} params */
export function createArmableStallWatchdog({ label, timeoutMs: rawMs, checkIntervalMs, abortSignal, runtime, onTimeout }) {
  const timeoutMs = resolveTimerTimeoutMs(rawMs, 1);
  const everyMs = resolveTimerTimeoutMs(checkIntervalMs, Math.min(5000, Math.max(250, timeoutMs / 6)), 100);
  let [armed, stopped, lastAt] = [false, false, Date.now()];
  let timer;
  const seconds = (ms) => `${Math.round(ms / 1000)}s`;
  const stop = () => {
    [armed, stopped] = [false, true];
    clearInterval(timer);
    abortSignal?.removeEventListener('abort', stop);
  };
  const touch = (atMs = Date.now()) => {
    if (!stopped) lastAt = atMs;
  };
  const check = () => {
    const idleMs = Date.now() - lastAt;
    if (!armed || idleMs < timeoutMs) return;
    armed = false;
    runtime?.error?.(`[${label}] the transport was silent for ${seconds(idleMs)} (limit ${seconds(timeoutMs)})`);
    onTimeout({ idleMs, timeoutMs });
  };
  if (abortSignal?.aborted) stop();
  else {
    abortSignal?.addEventListener('abort', stop, { once: true });
    timer = setInterval(check, everyMs);
    timer.unref?.();
  }
  return {
    arm(atMs) {
      touch(atMs);
      armed = !stopped;
    },
    touch,
    disarm() {
      armed = false;
    },
    stop,
    isArmed: () => armed,
  };
}
