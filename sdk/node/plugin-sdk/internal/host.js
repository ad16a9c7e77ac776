// SDK functions whose work is the host's.
import { peer, plugins, snapshot } from '../../worker/state.js';
import { createLogger } from '../../worker/logger.js';
import { sessionGroup } from '../../worker/runtime/channel/session.js';

function worker() {
  if (!peer) throw Object.assign(new Error('this function needs the gateway and works only inside a plugin worker'), { code: 'NOT_BUILT' });
  return peer;
}
const pluginId = () => (plugins.size === 1 ? plugins.keys().next().value : undefined);
const ask = (method, args) => worker().request(method, { pluginId: pluginId(), args });

export const recordInboundSession = (params) => sessionGroup({ id: pluginId() }).recordInboundSession(params);
export const resolveApprovalOverGateway = (...args) => ask('host.approval.resolve', args);
export const loadSessionStore = (storePath) => worker().requestSync('host.session.loadStore', { pluginId: pluginId(), storePath });
export const triggerGatewayInternalHook = (params) => (peer ? worker().request('host.hooks.triggerInternal', { pluginId: pluginId(), ...params }) : Promise.resolve({ messages: [] }));
export { readChannelAllowFromStore, upsertChannelPairingRequest } from './pairing-store.js';

/** A logger of a part of the plugin. */
export function createSubsystemLogger(subsystem) {
  const logger = createLogger(pluginId(), { subsystem });
  return { ...logger, subsystem, raw: logger.info, isEnabled: () => true, child: (name) => createSubsystemLogger(`${subsystem}/${name}`) };
}
export const shouldLogVerbose = () => snapshot.verbose === true;
/** Logs at debug level when the gateway is verbose. */
export function logVerbose(message) {
  if (shouldLogVerbose()) createLogger(pluginId()).debug(message);
}
/** Puts a system event before a session's next turn. @param {string} text @param {{sessionKey: string, contextKey?: string, deliveryContext?: object, trusted?: boolean}} options @returns {boolean} `false` for one that waits already */
export const enqueueSystemEvent = (text, options) => worker().requestSync('host.system.enqueueSystemEvent', { ...options, pluginId: pluginId(), text });
export const updateLastRoute = (params) => sessionGroup({ id: pluginId() }).updateLastRoute(params);
export const recordSessionMetaFromInbound = (params) => sessionGroup({ id: pluginId() }).recordSessionMetaFromInbound(params);
