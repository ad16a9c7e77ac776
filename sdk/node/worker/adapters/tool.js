// Adapter `tool`: `execute(toolCallId, params, signal, onUpdate)`. Cancelling the request aborts the tool too.

/** Runs a tool. */
export function run(row, [toolCallId, params, signal, onUpdate], { signal: cancelled }) {
  const stop = signal ? AbortSignal.any([signal, cancelled]) : cancelled;
  return row.fn.call(row.self, toolCallId, params, stop, onUpdate ?? undefined);
}
