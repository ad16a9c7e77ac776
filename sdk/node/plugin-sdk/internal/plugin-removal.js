// A configuration without one plugin.
import fs from 'node:fs';
import path from 'node:path';

/** Who takes a slot that becomes free. */
const DEFAULT_SLOTS = { memory: 'memory-core', contextEngine: 'legacy' };
/** Members of `channels` that belong to no channel. */
const SHARED = new Set(['defaults', 'modelByChannel']);

const realPath = (file) => {
  try {
    return fs.realpathSync(file);
  } catch {
    return path.resolve(file);
  }
};
const without = (record, key) => {
  const { [key]: _gone, ...rest } = record;
  return Object.keys(rest).length > 0 ? rest : undefined;
};
const filtered = (list, keep) => {
  const rest = list.filter(keep);
  return rest.length > 0 ? rest : undefined;
};

/**
 * Takes a plugin out of a configuration: its entry, install record, load path, slots, places in lists, and its channels when it was installed.
 * @param {object} cfg
 * @param {string} pluginId
 * @param {{channelIds?: string[]}} [options]
 * @returns {{config: object, actions: Record<string, boolean>}} what is left, and what was done
 */
export function removePluginFromConfig(cfg, pluginId, options) {
  const actions = { entry: false, install: false, allowlist: false, denylist: false, loadPath: false, memorySlot: false, contextEngineSlot: false, channelConfig: false };
  const plugins = { ...cfg.plugins };
  const record = plugins.installs?.[pluginId];
  const installed = Object.hasOwn(plugins.installs ?? {}, pluginId);
  const done = (action, key, value) => {
    actions[action] = true;
    plugins[key] = value;
  };
  for (const [action, key] of [['entry', 'entries'], ['install', 'installs']]) if (plugins[key] && pluginId in plugins[key]) done(action, key, without(plugins[key], pluginId));
  for (const [action, key] of [['allowlist', 'allow'], ['denylist', 'deny']]) {
    if (Array.isArray(plugins[key]) && plugins[key].includes(pluginId)) done(action, key, filtered(plugins[key], (id) => id !== pluginId));
  }
  const paths = plugins.load?.paths;
  if (record?.source === 'path' && record.sourcePath && Array.isArray(paths)) {
    const other = (one) => realPath(one) !== realPath(record.sourcePath);
    const rest = filtered(paths, other);
    if (!paths.every(other)) done('loadPath', 'load', rest && { ...plugins.load, paths: rest });
  }
  for (const slot of ['memory', 'contextEngine']) if (plugins.slots?.[slot] === pluginId) done(`${slot}Slot`, 'slots', { ...plugins.slots, [slot]: DEFAULT_SLOTS[slot] });
  if (plugins.slots && Object.keys(plugins.slots).length === 0) plugins.slots = undefined;
  for (const key of ['entries', 'installs', 'allow', 'deny', 'load', 'slots']) if (plugins[key] === undefined) delete plugins[key];
  let { channels } = cfg;
  for (const key of installed ? (options?.channelIds ?? [pluginId]) : []) {
    if (!channels || SHARED.has(key) || !Object.hasOwn(channels, key)) continue;
    channels = without(channels, key);
    actions.channelConfig = true;
  }
  return { config: { ...cfg, plugins: Object.keys(plugins).length > 0 ? plugins : undefined, channels }, actions };
}
