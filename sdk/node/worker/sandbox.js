// The part of a plugin's sandbox that lives in JavaScript: errors that say what to grant, counts of what was denied, and the record of
// what an unconfined plugin touches. What holds is the kernel's part; this one makes it understandable.
import { syncBuiltinESMExports } from 'node:module';
import { begin, flush } from './sandbox/report.js';
import { watchAddons, watchEnv } from './sandbox/env.js';
import { watchFiles } from './sandbox/files.js';
import { watchNetwork } from './sandbox/network.js';
import { watchProcesses } from './sandbox/processes.js';

export { flush };

let installed = false;

/** Installs the hooks once, before any code of the plugin. `policy` is what the host planned for this worker. */
export function confine(pluginId, policy) {
  if (installed) return;
  installed = true;
  begin(pluginId, policy);
  watchFiles(policy);
  watchNetwork(policy);
  watchProcesses(policy);
  watchAddons(policy);
  watchEnv(policy);
  // Modules that import single names of Node's modules get the hooks as well.
  syncBuiltinESMExports();
}
