// The plugin whose worker this is, for SDK functions that do what `api.runtime` does.
import { pluginOf } from '../../worker/state.js';

/**
 * The only plugin of this worker.
 * @param {string} instead what of `api` to use where there are several
 * @returns {any}
 */
export function ownPlugin(instead) {
  const found = pluginOf();
  if (!found) throw Object.assign(new Error(`this function needs the gateway and a worker with one plugin; use \`${instead}\``), { code: 'NOT_BUILT' });
  return found;
}

/** The plugin's `api.runtime`. @param {string} group the group that is needed @returns {any} */
export const ownRuntime = (group) => ownPlugin(`api.runtime.${group}`).api.runtime[group];
