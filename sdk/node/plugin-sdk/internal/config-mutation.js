// Changes of the configuration file, which the gateway makes.
import path from 'node:path';
import { configGroup } from '../../worker/runtime/config.js';
import { ask } from '../../worker/runtime/group.js';
import { pluginOf } from '../../worker/state.js';
import { ownPlugin } from './own-plugin.js';
import { STATE_DIR } from './paths.js';

function group() {
  const plugin = pluginOf();
  if (!plugin) throw Object.assign(new Error('the configuration can be changed only by one plugin in its worker'), { code: 'NOT_BUILT' });
  return configGroup(plugin, new Set(['loadConfig', 'writeConfigFile']));
}

/**
 * Changes the file through a function.
 * @param {{mutate: (draft: object, context: object) => unknown, base?: 'source' | 'runtime', baseHash?: string, afterWrite?: object, writeOptions?: object}} params
 * @returns {Promise<object>}
 */
export const mutateConfigFile = async (params) => group().mutateConfigFile(params);

/**
 * Replaces the whole configuration.
 * @param {{nextConfig: object, baseHash?: string, afterWrite?: object, writeOptions?: object}} params
 * @returns {Promise<object>}
 */
export const replaceConfigFile = async (params) => group().replaceConfigFile(params);

/**
 * The same with the arguments in order.
 * @param {object} nextConfig
 * @param {object} [writeOptions]
 * @returns {Promise<object>}
 */
export const writeConfigFile = async (nextConfig, writeOptions) => group().writeConfigFile(nextConfig, writeOptions);

/**
 * Writes what a function makes of the configuration.
 * @param {(config: object) => object} mutator
 * @returns {Promise<object>} the new configuration
 */
export async function updateConfig(mutator) {
  let next;
  await mutateConfigFile({
    mutate(draft) {
      next = mutator(draft);
      if (next === draft) return;
      for (const key of Object.keys(draft)) if (!Object.hasOwn(next, key)) delete draft[key];
      Object.assign(draft, next);
    },
  });
  return next;
}

/**
 * Says that the file was changed.
 * @param {{log: (text: string) => void}} runtime
 * @param {{path?: string, suffix?: string}} [options]
 * @returns {void}
 */
export const logConfigUpdated = (runtime, options = {}) =>
  runtime.log(`Updated ${options.path ?? process.env.OPENCLAW_CONFIG_PATH ?? path.join(STATE_DIR, 'openclaw.json')}${options.suffix ? ` ${options.suffix}` : ''}`);

/**
 * The file as it is, and what a write must name to be sure that nobody changed it since.
 * @returns {Promise<{snapshot: object, writeOptions: object}>}
 */
export async function readConfigFileSnapshotForWrite() {
  const { config = {}, hash, snapshot: given, path: file } = await ask(ownPlugin('api.runtime.config'), 'host.config.read', { base: 'source' });
  const snapshot = { exists: true, valid: true, ...given, hash, config: given?.config ?? config, sourceConfig: given?.sourceConfig ?? config, ...(file ? { path: file } : {}) };
  return { snapshot, writeOptions: { baseHash: hash } };
}
