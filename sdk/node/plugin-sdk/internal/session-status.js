// How a session stands, told by the gateway.
import { peer, plugins } from '../../worker/state.js';

const pluginId = () => (plugins.size === 1 ? plugins.keys().next().value : undefined);

/**
 * What `/status` answers in a session; nothing without a session key.
 * @param {{sessionKey: string, channel: string, senderId?: string, senderIsOwner?: boolean, isAuthorizedSender?: boolean, isGroup?: boolean}} params
 * @returns {Promise<{text: string} | undefined>}
 */
export async function resolveDirectStatusReplyForSession({ sessionKey, channel, senderId, senderIsOwner, isAuthorizedSender }) {
  if (!sessionKey.trim()) return undefined;
  if (!peer) throw Object.assign(new Error('the state of a session is the gateway\'s; this works only inside a plugin worker'), { code: 'NOT_BUILT' });
  return peer.request('host.session.status', { pluginId: pluginId(), sessionKey, channel, senderId, senderIsOwner, isAuthorizedSender });
}
