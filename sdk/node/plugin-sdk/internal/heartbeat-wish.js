// Wishes for a heartbeat: the gateway keeps them and runs the turns.
import { peer, plugins } from '../../worker/state.js';

/**
 * Asks for a heartbeat of an agent or session soon.
 * @param {{source: string, intent: 'scheduled'|'event'|'immediate'|'manual', reason?: string, coalesceMs?: number, agentId?: string, sessionKey?: string, heartbeat?: {target?: string}}} options
 */
export function requestHeartbeat(options) {
  if (!peer) throw Object.assign(new Error('heartbeats are the gateway\'s; this works only inside a plugin worker'), { code: 'NOT_BUILT' });
  const pluginId = plugins.size === 1 ? plugins.keys().next().value : undefined;
  peer.requestSync('host.system.requestHeartbeat', { pluginId, ...options });
}
