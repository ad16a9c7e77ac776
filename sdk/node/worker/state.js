// What the modules of a worker share: the peer, the plugins that are loaded, the configuration snapshot.

/** @type {import('./peer.js').Peer} */
export let peer;

/** Sets the conversation that everything else uses. */
export function setPeer(value) {
  peer = value;
}

/**
 * Loaded plugins by id: `{id, name, rootDir, config, pluginConfig, logger, api, ...}`.
 * @type {Map<string, any>}
 */
export const plugins = new Map();

/** The gateway's own commands, as `commands.list` names them. */
const CHAT_COMMANDS = [['new', 'Begin a new session'], ['reset', 'Reset the session'], ['stop', 'Stop what is running']].map(([key, description]) =>
  ({ key, nativeName: key, description, textAliases: [`/${key}`], acceptsArgs: false, scope: 'both', category: 'session' }));

/** The newest configuration of the gateway as this worker knows it. */
export const snapshot = { config: {}, hostVersion: '', stateDir: '', workspaceDir: undefined, chatCommands: CHAT_COMMANDS };

/** The plugin that owns a handle row, or the only one there is. */
export function pluginOf(pluginId) {
  if (pluginId !== undefined) return plugins.get(pluginId);
  return plugins.size === 1 ? plugins.values().next().value : undefined;
}
