// Pictures are made smaller by the host.
import { peer, plugins } from '../../../worker/state.js';

/**
 * A picture as JPEG, no side longer than `maxSide`.
 * @param {{buffer: Buffer, maxSide: number, quality: number, withoutEnlargement?: boolean}} params
 * @returns {Promise<Buffer>}
 */
export function resizeToJpeg(params) {
  if (!peer) throw Object.assign(new Error('pictures are made smaller by the gateway; this works only inside a plugin worker'), { code: 'NOT_BUILT' });
  return peer.request('host.media.resizeToJpeg', { pluginId: plugins.size === 1 ? plugins.keys().next().value : undefined, args: [params] });
}
