// Gives back the memory that only starting a plugin took.
import { peer } from './state.js';

/** How long after a load a worker must have had nothing to do. */
const QUIET_MS = 1000;

let timer;

/** Collects once the worker has been idle for a while: sources, syntax trees and garbage of a start stay for minutes otherwise. */
export function trimWhenIdle() {
  clearTimeout(timer);
  timer = setTimeout(() => {
    if (peer.busy > 0) trimWhenIdle();
    else void collect();
  }, QUIET_MS);
  timer.unref();
}

/** The collector is taken from a context of its own: with `--expose-gc` for the process plugins would find a global more. */
async function collect() {
  const [{ setFlagsFromString }, { runInNewContext }] = await Promise.all([import('node:v8'), import('node:vm')]);
  setFlagsFromString('--expose-gc');
  const gc = runInNewContext('gc');
  setFlagsFromString('--no-expose-gc');
  gc({ type: 'major', flavor: 'last-resort' });
}
