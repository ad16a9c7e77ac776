// The `hooks` method: one request carries all neighbouring handlers of one hook.
import { peer, pluginOf, snapshot } from './state.js';
import { withDispatcher } from './dispatcher.js';
import { errorToWire } from './errors.js';

/** Hooks whose event and context are frozen before a handler sees them. */
const FROZEN = new Set(['model_call_started', 'model_call_ended']);
/** Hooks in which a failing handler ends the batch, because the guarded action is refused. */
const FAIL_CLOSED = new Set(['before_agent_run', 'before_tool_call']);
const isThenable = (value) => typeof value?.then === 'function';

/** Serves `hooks`. Returns one row per handler that was reached, at once when no handler returned a promise. */
export function runHooks({ hook, fns, event, ctx, mode, stop, failClosed, stopOnError }, context) {
  const stopsOnError = stopOnError ?? failClosed ?? FAIL_CLOSED.has(hook);
  const batch = { hook, event, ctx: prepareContext(hook, ctx), stop, stopOnError: stopsOnError };
  if (hook === 'reply_dispatch') batch.replies = withDispatcher(batch.ctx, context?.signal ?? new AbortController().signal);
  if (FROZEN.has(hook)) {
    Object.freeze(event);
    Object.freeze(ctx);
  }
  if (mode === 'sync') return runSync(fns, batch);
  return mode === 'par' ? runParallel(fns, batch) : runSequence(fns, batch, 0, []);
}

function runParallel(fns, batch) {
  const results = fns.map((row) => runOne(row, batch));
  const rows = (all) => all.map((result) => result.row);
  return results.some(isThenable) ? Promise.all(results).then(rows) : rows(results);
}

function runSequence(fns, batch, from, out) {
  for (let i = from; i < fns.length; i++) {
    const result = runOne(fns[i], batch);
    if (isThenable(result)) return result.then((settled) => (ends(settled, batch, out) ? out : runSequence(fns, batch, i + 1, out)));
    if (ends(result, batch, out)) break;
  }
  return out;
}

/** Keeps a handler's row; true when the handlers after it are not asked. */
function ends({ row, value }, batch, out) {
  out.push(row);
  return row.err ? batch.stopOnError : stops(batch, value);
}

function runSync(fns, batch) {
  const out = [];
  let event = batch.event;
  for (const row of fns) {
    const started = performance.now();
    try {
      const value = handlerOf(row.fn)(event, batch.ctx);
      if (isThenable(value)) {
        Promise.resolve(value).catch(() => {});
        throw Object.assign(new Error(`${batch.hook} handlers must be synchronous; the returned promise was ignored`), { code: 'HOOK_PROMISE' });
      }
      out.push(okRow(row.fn, value, started));
      if (value?.message) event = { ...event, message: value.message };
      if (stops(batch, value)) break;
    } catch (error) {
      out.push({ err: errorToWire(error), ms: since(started) });
      if (batch.stopOnError) break;
    }
  }
  return out;
}

/** Runs one handler to `{row, value}`; the stop rules look at what it returned, not at its encoding. */
function runOne(row, batch) {
  const started = performance.now();
  let returned;
  try {
    returned = handlerOf(row.fn)(batch.event, batch.ctx);
    if (!isThenable(returned)) return success(row, batch, returned, started);
  } catch (error) {
    return failure(error, started);
  }
  const running = row.timeoutMs > 0 ? race(Promise.resolve(returned), row.timeoutMs) : Promise.resolve(returned);
  return running.then((value) => success(row, batch, value, started), (error) => failure(error, started));
}

function success(row, batch, returned, started) {
  try {
    const value = batch.replies ? batch.replies.join(returned) : returned;
    return { row: okRow(row.fn, value, started), value };
  } catch (error) {
    return failure(error, started);
  }
}

function failure(error, started) {
  return { row: { err: errorToWire(error), ms: since(started) } };
}

/** The handler keeps running after its time is up; only its result is dropped. */
function race(running, timeoutMs) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      reject(Object.assign(new Error(`timed out after ${timeoutMs}ms`), { name: 'TimeoutError', code: 'TIMEOUT' }));
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
  const row = peer.exports.get(id);
  if (!row) throw Object.assign(new Error(`handle ${id} is gone`), { code: 'NOT_FOUND' });
  return row.fn;
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
