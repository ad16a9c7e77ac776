// Reply payloads.

/** Media of a payload, one or many. */
export function resolveOutboundMediaUrls(payload) {
  if (payload.mediaUrls?.length) return payload.mediaUrls;
  return payload.mediaUrl ? [payload.mediaUrl] : [];
}
export const resolvePayloadMediaUrls = (payload) => resolveOutboundMediaUrls(payload);
export const countOutboundMedia = (payload) => resolveOutboundMediaUrls(payload).length;
export const hasOutboundMedia = (payload) => countOutboundMedia(payload) > 0;

/** What of a payload can be sent. */
export function resolveSendableOutboundReplyParts(payload, options) {
  const text = options?.text ?? payload.text ?? '';
  const trimmedText = text.trim();
  const mediaUrls = resolveOutboundMediaUrls(payload).map((url) => url.trim()).filter(Boolean);
  const [hasText, hasMedia] = [trimmedText !== '', mediaUrls.length > 0];
  return { text, trimmedText, mediaUrls, mediaCount: mediaUrls.length, hasText, hasMedia, hasContent: hasText || hasMedia };
}

/** The chunks, or the text when there are none. */
export const resolveTextChunksWithFallback = (text, chunks) => (chunks.length > 0 ? [...chunks] : text ? [text] : []);

/** Sends media in order, the first with the caption. */
export async function sendMediaWithLeadingCaption({ mediaUrls, caption, send, onError }) {
  for (const [index, mediaUrl] of mediaUrls.entries()) {
    const isFirst = index === 0;
    try {
      await send({ mediaUrl, caption: isFirst ? caption : undefined });
    } catch (error) {
      if (!onError) throw error;
      await onError({ error, mediaUrl, caption: isFirst ? caption : undefined, index, isFirst });
    }
  }
  return mediaUrls.length > 0;
}

/** Sends media when there are any, else the text in chunks. */
export async function deliverTextOrMediaReply({ payload, text, chunkText, sendText, sendMedia, onMediaError }) {
  const { mediaUrls } = resolveSendableOutboundReplyParts(payload, { text });
  if (await sendMediaWithLeadingCaption({ mediaUrls, caption: text, send: sendMedia, onError: onMediaError })) return 'media';
  const chunks = (text ? (chunkText ? chunkText(text) : [text]) : []).filter(Boolean);
  for (const chunk of chunks) await sendText(chunk);
  return chunks.length > 0 ? 'text' : 'empty';
}
