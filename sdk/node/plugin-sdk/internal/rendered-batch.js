// What a batch of payloads holds, as senders plan by it.
const links = ({ mediaUrl, mediaUrls }) => [mediaUrl, ...(mediaUrls ?? [])].map((url) => url?.trim()).filter(Boolean);

function itemOf(payload, index) {
  const text = payload.text?.trim();
  const mediaUrls = links(payload);
  const presentationBlockCount = payload.presentation?.blocks?.length ?? 0;
  const voice = Boolean(payload.audioAsVoice) && mediaUrls.length > 0;
  const kinds = [text && 'text', mediaUrls.length > 0 && (voice ? 'voice' : 'media'), presentationBlockCount > 0 && 'presentation', payload.interactive && 'interactive', payload.channelData && 'channelData'].filter(Boolean);
  return {
    index, kinds: kinds.length > 0 ? kinds : ['empty'], ...(text ? { text } : {}), mediaUrls, ...(voice ? { audioAsVoice: true } : {}),
    ...(presentationBlockCount > 0 ? { presentationBlockCount } : {}), ...(payload.interactive ? { hasInteractive: true } : {}), ...(payload.channelData ? { hasChannelData: true } : {}),
  };
}

/** @param {any[]} payloads @returns {{payloads: any[], plan: any}} */
export function createRenderedMessageBatch(payloads) {
  const items = payloads.map(itemOf);
  const count = (kind) => items.filter(({ kinds }) => kinds.includes(kind)).length;
  const mediaCount = payloads.reduce((sum, { mediaUrl, mediaUrls }) => sum + [mediaUrl, ...(mediaUrls ?? [])].filter(Boolean).length, 0);
  return {
    payloads,
    plan: {
      payloadCount: payloads.length, textCount: count('text'), mediaCount, voiceCount: count('voice'), presentationCount: count('presentation'),
      interactiveCount: count('interactive'), channelDataCount: count('channelData'), items,
    },
  };
}
