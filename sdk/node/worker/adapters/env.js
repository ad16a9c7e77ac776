// Adapter `env`: a function that is called with one context, to which the worker's environment is added.

/** Runs it. */
export const run = (row, [ctx]) => row.fn.call(row.self, { ...ctx, env: process.env });
