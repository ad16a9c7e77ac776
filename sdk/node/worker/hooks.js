// The `hooks` method: one request carries all neighbouring handlers of one hook.
import fs from 'node:fs';
import { peer, pluginOf, plugins, snapshot } from './state.js';
import { withDispatcher } from './dispatcher.js';
import { errorToWire } from './errors.js';

/** Hooks whose event and context are frozen before a handler sees them. */
const FROZEN = new Set(['model_call_started', 'model_call_ended']);
/** Hooks in which a failing handler ends the batch, because the guarded action is refused. */
const FAIL_CLOSED = new Set(['before_agent_run', 'before_tool_call']);
/** Where the worker notes how many handlers of a batch it has begun: a file of `MARK_SLOTS` records, number and count. */
const MARKS_FD = 5;
const MARK_SLOTS = 64;
const markRecord = new Uint32Array(2);
/** Stands for a handler in a batch that only wakes the worker; no handle has the number 0. */
const REHEARSAL = { fn: () => undefined };
const isThenable = (value) => typeof value?.then === 'function';

/** Serves `hooks`. Returns one row per handler that was reached, at once when no handler returned a promise. */
export function runHooks({ hook, fns, event, ctx, mode, stop, carry, failClosed, stopOnError, mark }, context) {
  const stopsOnError = stopOnError ?? failClosed ?? FAIL_CLOSED.has(hook);
  const carries = carry ?? (mode === 'sync' ? 'message' : undefined);
  const batch = { hook, event, ctx: prepareContext(hook, ctx), stop, carries, stopOnError: stopsOnError, mark, request: context };
  if (hook === 'reply_dispatch') batch.replies = withDispatcher(batch.ctx, context?.signal ?? new AbortController().signal);
  if (FROZEN.has(hook)) Object.freeze(ctx);
  if (mode === 'sync') return runSync(fns, batch);
  return mode === 'par' ? runParallel(fns, batch) : runSequence(fns, batch, 0, []);
}

function runParallel(fns, batch) {
  const results = fns.map((row, at) => runOne(row, batch, at));
  const rows = (all) => all.map((result) => result.row);
  return results.some(isThenable) ? Promise.all(results).then(rows) : rows(results);
}

function runSequence(fns, batch, from, out) {
  for (let i = from; i < fns.length; i++) {
    const result = runOne(fns[i], batch, i);
    if (isThenable(result)) return result.then((settled) => (ends(settled, batch, out) ? out : runSequence(fns, batch, i + 1, out)));
    if (ends(result, batch, out)) break;
  }
  return out;
}

/** Keeps a handler's row; true when the handlers after it are not asked. */
function ends({ row, value, event }, batch, out) {
  out.push(row);
  shareChanges(batch, event);
  if (row.err) return batch.stopOnError;
  carryOn(batch, value);
  return stops(batch, value);
}

/** Members that a handler set on its view of the event are there for the handlers after it. */
function shareChanges(batch, event) {
  for (const key in event) if (event[key] !== batch.event[key]) batch.event[key] = event[key];
}

/** What a handler returned in place of the event's own member is what the handlers after it see. */
function carryOn(batch, value) {
  const next = batch.carries && value?.[batch.carries];
  const fits = batch.carries === 'message' || typeof next === (batch.carries === 'content' ? 'string' : 'object');
  if (next && fits) batch.event = { ...batch.event, [batch.carries]: next };
}

function runSync(fns, batch) {
  const out = [];
  for (const [at, row] of fns.entries()) {
    noteBegun(batch, at);
    const started = performance.now();
    try {
      const { fn, event } = prepare(row, batch);
      const value = fn(event, batch.ctx);
      if (isThenable(value)) {
        Promise.resolve(value).catch(() => {});
        throw Object.assign(new Error(`${batch.hook} handlers must be synchronous; the returned promise was ignored`), { code: 'HOOK_PROMISE' });
      }
      out.push(okRow(row.fn, value, started));
      shareChanges(batch, event);
      carryOn(batch, value);
      if (stops(batch, value)) break;
    } catch (error) {
      out.push({ err: errorToWire(error), ms: since(started) });
      if (batch.stopOnError) break;
    }
  }
  return out;
}

/** Tells the host, which may have to know when this thread cannot answer any more, that the handler at a place has begun. */
function noteBegun({ mark }, at) {
  if (mark === undefined) return;
  markRecord[0] = mark;
  markRecord[1] = at + 1;
  fs.writeSync(MARKS_FD, markRecord, 0, 8, (mark % MARK_SLOTS) * 8);
}

/** Runs one handler to `{row, value, event}`; the stop rules look at what it returned, not at its encoding. */
function runOne(row, batch, at) {
  noteBegun(batch, at);
  const started = performance.now();
  let view;
  let returned;
  try {
    view = prepare(row, batch);
    returned = view.fn(view.event, batch.ctx);
    if (!isThenable(returned)) return success(row, batch, returned, started, view.event);
  } catch (error) {
    return failure(error, started, view?.event);
  }
  const running = row.timeoutMs > 0 ? race(Promise.resolve(returned), row.timeoutMs, view.end) : Promise.resolve(returned);
  return running.then((value) => success(row, batch, value, started, view.event), (error) => failure(error, started, view.event));
}

/**
 * A handler and its own view of the event: `context.pluginConfig` is its plugin's configuration, and `signal` fires when its time is up
 * or nobody waits for it any more. Both are hidden from those who list or copy the event.
 */
function prepare(row, batch) {
  const { fn, pluginId } = handlerOf(row.fn);
  const event = { ...batch.event };
  const end = new Deadline(batch.request);
  const context = { ...batch.event?.context, pluginConfig: plugins.get(pluginId)?.pluginConfig ?? {} };
  Object.defineProperty(event, 'context', { value: context, enumerable: false, configurable: true, writable: true });
  Object.defineProperty(event, 'signal', { get: () => end.signal, enumerable: false, configurable: true });
  if (FROZEN.has(batch.hook)) Object.freeze(event);
  return { fn, event, end };
}

/** The end of one handler's time. Few look at the signal, so it is made for those only. */
class Deadline {
  #request;
  #controller;
  #reason;

  constructor(request) {
    this.#request = request;
  }

  get signal() {
    if (!this.#controller) {
      this.#controller = new AbortController();
      if (this.#reason) this.#controller.abort(this.#reason);
      const whole = this.#request?.signal;
      if (whole?.aborted) this.#controller.abort(whole.reason);
      else whole?.addEventListener('abort', () => this.#controller.abort(whole.reason), { once: true });
    }
    return this.#controller.signal;
  }

  pass(reason) {
    this.#reason = reason;
    this.#controller?.abort(reason);
  }
}

function success(row, batch, returned, started, event) {
  try {
    const value = batch.replies ? batch.replies.join(returned) : returned;
    return { row: okRow(row.fn, value, started), value, event };
  } catch (error) {
    return failure(error, started, event);
  }
}

function failure(error, started, event) {
  return { row: { err: errorToWire(error), ms: since(started) }, event };
}

/** A handler whose time is up is told by its signal; when it goes on all the same, only its result is dropped. */
function race(running, timeoutMs, deadline) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      const late = Object.assign(new Error(`timed out after ${timeoutMs}ms`), { name: 'TimeoutError', code: 'TIMEOUT' });
      reject(late);
      deadline.pass(late);
    }, timeoutMs);
    running.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

function okRow(fn, value, started) {
  peer.exports.pluginId = peer.exports.get(fn)?.pluginId;
  const ok = peer.encode(value);
  peer.exports.pluginId = undefined;
  return ok === undefined ? { ms: since(started) } : { ms: since(started), ok };
}

function since(started) {
  return Math.round((performance.now() - started) * 1000) / 1000;
}

function handlerOf(id) {
  const row = id === 0 ? REHEARSAL : peer.exports.get(id);
  if (!row) throw Object.assign(new Error(`handle ${id} is gone`), { code: 'NOT_FOUND' });
  return row;
}

function stops({ hook, stop }, value) {
  switch (stop) {
    case 'block':
      return hook === 'before_message_write' ? Boolean(value?.block) : value?.block === true;
    case 'cancel':
      return value?.cancel === true;
    case 'handled':
      return Boolean(value?.handled);
    case 'outcome':
      return value !== undefined && !isPass(value);
    default:
      return false;
  }
}

/** A valid pass has exactly one member. */
function isPass(value) {
  return value !== null && typeof value === 'object' && value.outcome === 'pass' && Object.keys(value).length === 1;
}

/** Adds what cannot be sent: the configuration that the worker has already, and synchronous accessors. */
function prepareContext(hook, ctx) {
  const out = ctx ?? {};
  if (out.trace && typeof out.trace === 'object') Object.freeze(out.trace);
  if (hook === 'gateway_start' || hook === 'cron_changed') {
    out.config ??= snapshot.config;
    out.getCron = () => cronAccess();
  }
  if (hook === 'reply_dispatch') out.cfg ??= snapshot.config;
  return out;
}

function cronAccess() {
  const pluginId = pluginOf(undefined)?.id;
  const ask = (name, params) => peer.request(`host.cron.${name}`, { pluginId, ...params });
  return {
    list: (options) => ask('list', options),
    add: (input) => ask('add', { input }),
    update: (id, patch) => ask('update', { id, patch }),
    remove: (id) => ask('remove', { id }),
  };
}
