// `outbound.loadAdapter`: a channel's senders, whichever plugin they belong to.
import { plugins, snapshot } from '../../state.js';
import { ask } from '../group.js';

/** The adapter of a channel: the object itself when this worker has it, else one that sends through the host. */
export async function loadAdapter(plugin, channelId) {
  const id = String(channelId ?? '').trim();
  const own = plugins.get(plugin.id)?.channels?.get(id)?.channel?.outbound;
  if (own) return own;
  const found = await ask(plugin, 'host.channel.outbound', { channel: id });
  return found ? remote(plugin, found) : undefined;
}

function remote(plugin, { channel, outbound }) {
  const send = async ({ to, accountId, threadId, replyToId, silent }, payload) => {
    const sent = await ask(plugin, 'host.channel.send', { channel, to, accountId, threadId, replyToId, silent, payload });
    if (sent.status === 'unsupported') throw new Error(sent.reason);
    return { channel, messageId: sent.messageId ?? '', ...sent.results?.[0] };
  };
  return {
    deliveryMode: outbound.deliveryMode ?? 'gateway',
    textChunkLimit: outbound.textChunkLimit,
    chunkerMode: outbound.chunkerMode,
    sendText: (params) => send(params, { text: params.text }),
    sendMedia: (params) => send(params, { text: params.text, mediaUrl: params.mediaUrl, audioAsVoice: params.audioAsVoice }),
    sendPayload: (params) => send(params, params.payload),
    resolveEffectiveTextChunkLimit: ({ cfg = snapshot.config, accountId, fallbackLimit }) => {
      const settings = cfg.channels?.[channel];
      return settings?.accounts?.[accountId]?.textChunkLimit ?? settings?.textChunkLimit ?? fallbackLimit;
    },
  };
}
