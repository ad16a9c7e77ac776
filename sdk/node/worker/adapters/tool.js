// Adapter `tool`: `execute(toolCallId, params, signal, onUpdate)`. Cancelling the request aborts the tool too.

/** Runs a tool. */
export function run(row, [toolCallId, params, signal, onUpdate], { signal: cancelled }) {
  const stop = signal ? AbortSignal.any([signal, cancelled]) : cancelled;
  return row.fn.call(row.self, toolCallId, params, stop, onUpdate ? (partial) => report(onUpdate, partial) : undefined);
}

/** Progress is told and not waited for: what comes after the call has ended, from a timer that still runs, is dropped. */
function report(onUpdate, partial) {
  Promise.resolve(onUpdate(partial)).catch(() => {});
}
