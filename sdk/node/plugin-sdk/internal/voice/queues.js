// Consultations of a live voice: one after another, and not twice for the same question.
import { resolveTimerTimeoutMs } from '../numbers.js';
import { matchRealtimeVoiceConsultQuestions, readRealtimeVoiceConsultQuestion } from './consult.js';

/** Asks the agent one question after another and speaks the answers. @param {object} params @returns {{ enqueue: (question: string, metadata?: unknown) => void, close: () => void }} */
export function createRealtimeVoiceAgentTalkbackQueue(params) {
  const { debounceMs, isStopped, logger, logPrefix, responseStyle, fallbackText, consult, deliver } = params;
  let waiting = [];
  let [busy, timer, controller] = [false, undefined, undefined];

  const add = (question, metadata) => {
    const last = waiting.at(-1);
    if (last && Object.is(last.metadata, metadata)) last.question += `\n${question}`;
    else waiting.push({ question, metadata });
  };
  const ask = async ({ question, metadata }) => {
    const started = Date.now();
    logger.info(`${logPrefix} consult: chars=${question.length} queued=${waiting.length}`);
    controller = new AbortController();
    try {
      const answer = (await consult({ question, metadata, responseStyle, signal: controller.signal })).text.trim();
      logger.info(`${logPrefix} consult done: elapsedMs=${Date.now() - started} answerChars=${answer.length} queued=${waiting.length}`);
      if (!isStopped() && answer) deliver(answer);
    } catch (error) {
      if (isStopped() || error?.name === 'AbortError') return;
      logger.warn(`${logPrefix} consult failed: elapsedMs=${Date.now() - started} ${error?.message ?? error}`);
      deliver(fallbackText);
    } finally {
      controller = undefined;
    }
  };
  const run = async () => {
    if (busy) return;
    busy = true;
    while (waiting.length > 0 && !isStopped()) await ask(waiting.shift());
    busy = false;
  };
  return {
    enqueue(question, metadata) {
      const text = question.trim();
      if (!text || isStopped()) return;
      add(text, metadata);
      clearTimeout(timer);
      if (busy) return;
      timer = setTimeout(() => void run(), debounceMs);
      timer.unref?.();
    },
    close() {
      clearTimeout(timer);
      waiting = [];
      controller?.abort();
    },
  };
}

/** How many questions are remembered, and for how long, in milliseconds. */
const LIMIT = 12;
const NATIVE_DEDUPE_MS = 2000;

/** Consultations that the program starts itself, beside those that the voice model asks for. @param {{ now?: () => number, limit?: number, nativeDedupeMs?: number, setTimer?: Function, questionsMatch?: Function }} [options] */
export function createRealtimeVoiceForcedConsultCoordinator(options = {}) {
  const { now = Date.now, limit = LIMIT, nativeDedupeMs = NATIVE_DEDUPE_MS, questionsMatch = matchRealtimeVoiceConsultQuestions } = options;
  const setTimer = options.setTimer ?? ((run, ms) => {
    const timer = setTimeout(run, ms);
    timer.unref?.();
    return { clear: () => clearTimeout(timer) };
  });
  const rows = new Map();
  let natives = [];
  let count = 0;

  const stop = (row) => {
    row.timer?.clear();
    row.timer = undefined;
  };
  const forget = (row) => {
    stop(row);
    row.cleanup?.clear();
    rows.delete(row.handle.id);
  };
  const forgetLater = (row) => {
    row.cleanup?.clear();
    row.cleanup = setTimer(() => rows.get(row.handle.id) === row && rows.delete(row.handle.id), nativeDedupeMs);
  };
  const prune = () => {
    natives = natives.filter(({ at }) => at >= now() - nativeDedupeMs).slice(-limit);
    while (rows.size > limit) forget(rows.values().next().value);
  };
  const asks = (row, question) => row.questions.some((own) => questionsMatch(own, question));
  const newest = (test) => [...rows.values()].reverse().find(test);
  const matching = (question) => (question ? newest((row) => asks(row, question)) : undefined);
  const learn = (row, question) => {
    const text = question?.trim();
    if (text && !asks(row, text)) row.questions.push(text);
  };
  const of = (handle) => rows.get(handle.id);
  const settle = (handle, change) => {
    const row = of(handle);
    if (!row) return;
    stop(row);
    Object.assign(row, { pending: false }, change);
    if (!change.started || change.delivered) forgetLater(row);
  };

  return {
    prepare(question, given) {
      const text = question.trim();
      if (!text) return undefined;
      const id = given?.id ?? `forced-consult:${now()}:${++count}`;
      if (rows.has(id)) forget(rows.get(id));
      const handle = { id, question: text, ...(given && 'context' in given ? { context: given.context } : {}) };
      rows.set(id, { handle, nativeCallIds: new Set(), questions: [text], pending: true, started: false, delivered: false, cancelled: false });
      prune();
      return handle;
    },
    schedule(handle, delayMs, run) {
      const row = of(handle);
      if (!row?.pending || row.timer) return;
      row.timer = setTimer(() => {
        row.timer = undefined;
        if (of(handle) === row && row.pending && !row.cancelled) run(handle);
      }, resolveTimerTimeoutMs(delayMs, 0, 0));
    },
    clearPending: () => [...rows.values()].filter((row) => row.pending).forEach(forget),
    consumePending(question) {
      const pending = [...rows.values()].filter((row) => row.pending);
      const row = !question && pending.length === 1 ? pending[0] : pending.reverse().find((one) => asks(one, question));
      if (!row) return undefined;
      stop(row);
      row.pending = false;
      return row.handle;
    },
    cancelPending: (handle) => of(handle)?.pending && forget(of(handle)),
    recordNativeConsult(args, nativeCallId) {
      const question = readRealtimeVoiceConsultQuestion(args);
      natives.push({ question, at: now() });
      prune();
      const pending = newest((row) => row.pending && asks(row, question));
      const row = pending ?? matching(question);
      if (!row || row.cancelled) return { kind: 'none', question };
      learn(row, question);
      if (nativeCallId) row.nativeCallIds.add(nativeCallId);
      if (pending) {
        stop(row);
        row.pending = false;
        forgetLater(row);
      }
      const kind = pending ? 'pending' : row.delivered ? 'already_delivered' : row.started ? 'in_flight' : 'none';
      return { kind, question, ...(kind === 'none' ? {} : { handle: row.handle }) };
    },
    markStarted: (handle) => settle(handle, { started: true }),
    markDelivered: (handle) => settle(handle, { started: true, delivered: true }),
    markCancelled: (handle) => settle(handle, { cancelled: true }),
    isCancelled: (handle) => of(handle)?.cancelled === true,
    nativeCallIds: (handle) => [...(of(handle)?.nativeCallIds ?? [])],
    handles: () => [...rows.values()].map((row) => row.handle),
    rememberQuestion: (handle, question) => of(handle) && learn(of(handle), question),
    findRecent(question) {
      prune();
      return matching(question)?.handle;
    },
    hasRecent: (question) => Boolean(matching(question)),
    hasRecentNativeConsult(question, { allowUnknownQuestion } = {}) {
      prune();
      return natives.some((row) => (row.question ? questionsMatch(row.question, question) : allowUnknownQuestion === true));
    },
    remove: (handle) => of(handle) && forget(of(handle)),
    clear() {
      [...rows.values()].forEach(forget);
      natives = [];
    },
  };
}
