// Reply payloads: what they are, and sending them with a channel's functions.
import { hasReplyChannelData, hasReplyContent } from './presentation.js';
import { createReplyToFanout } from './reply-threading.js';
import { resolveOutboundMediaUrls } from './reply.js';
import { asOptionalRecord, isRecord, normalizeLowercaseStringOrEmpty } from './strings.js';

/** The mark of payloads that only say how fast mode goes on. */
export const FAST_MODE_AUTO_PROGRESS_KIND = 'fast-mode-auto';
/** @param {any} payload @returns {boolean} */
export const isFastModeAutoProgressPayload = (payload) => payload.channelData?.openclawProgressKind === FAST_MODE_AUTO_PROGRESS_KIND;
/** Whether a target is a bare number of three digits or more. @param {string} raw @returns {boolean} */
export const isNumericTargetId = (raw) => /^\d{3,}$/.test(raw.trim());

const REASONING = /^(?:reasoning:|thinking\.{0,3}(?=\s*(?:>\s*)?_))/u;
/** Whether a payload is the model's reasoning: marked so, or by its first words, which may be quoted. @param {any} payload @returns {boolean} */
export function isReasoningReplyPayload({ isReasoning, text }) {
  if (isReasoning === true) return true;
  if (typeof text !== 'string') return false;
  return [text, text.replace(/^[\s>]+/, '')].some((part) => REASONING.test(normalizeLowercaseStringOrEmpty(part)));
}

/** Whether a payload only warns of a tool's failure. This host tells such failures to the model and sends no payload for them. @param {any} _payload @returns {boolean} */
export const isReplyPayloadNonTerminalToolErrorWarning = (_payload) => false;

const hasMedia = ({ mediaUrl, mediaUrls }) => [mediaUrl, ...(Array.isArray(mediaUrls) ? mediaUrls : [])].some((url) => typeof url === 'string' && url.trim());
const spoken = (value) => (typeof value === 'string' && value.trim() ? value : undefined);

/** What a payload says of the voice message that it carries beside a text. @param {any} payload @returns {{spokenText: string, visibleTextAlreadyDelivered?: true}|undefined} */
export function getReplyPayloadTtsSupplement(payload) {
  const spokenText = spoken(payload.ttsSupplement?.spokenText);
  if (!spokenText || !hasMedia(payload)) return undefined;
  return { spokenText, ...(payload.ttsSupplement.visibleTextAlreadyDelivered === true ? { visibleTextAlreadyDelivered: true } : {}) };
}
/** @param {any} payload @returns {boolean} */
export const isReplyPayloadTtsSupplement = (payload) => getReplyPayloadTtsSupplement(payload) !== undefined;
/** Marks a payload as the voice of a text. @param {any} payload @param {string} [spokenText] @param {{visibleTextAlreadyDelivered?: boolean}} [options] @returns {any} */
export function markReplyPayloadAsTtsSupplement(payload, spokenText = payload.spokenText ?? payload.text ?? '', options) {
  const text = spoken(spokenText);
  if (!text) return payload;
  return { ...payload, spokenText: text, ttsSupplement: { spokenText: text, ...(options?.visibleTextAlreadyDelivered === true ? { visibleTextAlreadyDelivered: true } : {}) } };
}
/** Only the voice of such a payload. @param {any} payload @returns {any} */
export function buildTtsSupplementMediaPayload(payload) {
  const ttsSupplement = getReplyPayloadTtsSupplement(payload);
  if (!ttsSupplement) return payload;
  const { text: _text, presentation: _card, interactive: _older, btw: _aside, ...media } = payload;
  return { ...media, spokenText: ttsSupplement.spokenText, ttsSupplement };
}

/** Members of an inbound context for media files. @param {{path: string, contentType?: string|null}[]} media @param {{preserveMediaTypeCardinality?: boolean}} [options] @returns {any} */
export function buildMediaPayload(media, options) {
  const paths = media.map(({ path }) => path);
  const types = media.map(({ contentType }) => contentType ?? '').filter((type) => options?.preserveMediaTypeCardinality || type);
  const filled = (list) => (list.length > 0 ? list : undefined);
  return { MediaPath: media[0]?.path, MediaType: media[0]?.contentType, MediaUrl: media[0]?.path, MediaPaths: filled(paths), MediaUrls: filled(paths), MediaTypes: filled(types) };
}

/** @param {any} payload @param {{trim?: boolean}} [options] @returns {boolean} */
export const hasOutboundText = ({ text }, options) => Boolean(options?.trim ? text?.trim() : text);
/** @param {any} payload @param {{trimText?: boolean}} [options] @returns {boolean} */
export const hasOutboundReplyContent = (payload, options) =>
  hasReplyContent({ ...payload, text: options?.trimText ? payload.text?.trim() : payload.text, hasChannelData: hasReplyChannelData(payload.channelData), extraContent: undefined });

/** A text with links to its attachments. @param {string|null|undefined} text @param {string[]} mediaUrls @returns {string} */
export const formatTextWithAttachmentLinks = (text, mediaUrls) =>
  [text?.trim(), mediaUrls.map((url) => `Attachment: ${url}`).join('\n')].filter(Boolean).join('\n\n');

/** Sends text and links where a channel knows no media. @param {{payload: any, send: (message: {text: string, replyToId?: string}) => any}} params @returns {Promise<boolean>} */
export async function deliverFormattedTextWithAttachments({ payload, send }) {
  const text = formatTextWithAttachmentLinks(payload.text, resolveOutboundMediaUrls(payload));
  if (text) await send({ text, replyToId: payload.replyToId });
  return text !== '';
}

/** Sends media in order, the first with the text; the result of the last one. @param {any} params @returns {Promise<any>} */
export async function sendPayloadMediaSequence({ text, mediaUrls, send }) {
  let result;
  for (const [index, mediaUrl] of mediaUrls.entries()) {
    if (mediaUrl) result = await send({ text: index === 0 ? text : '', mediaUrl, index, isFirst: index === 0 });
  }
  return result;
}
/** The same, then something else. @param {any} params @returns {Promise<any>} */
export async function sendPayloadMediaSequenceAndFinalize({ finalize, ...params }) {
  await sendPayloadMediaSequence(params);
  return finalize();
}
/** The same, or something else where there are no media. @param {any} params @returns {Promise<any>} */
export async function sendPayloadMediaSequenceOrFallback({ sendNoMedia, fallbackResult, ...params }) {
  if (params.mediaUrls.length === 0) return sendNoMedia ? sendNoMedia() : fallbackResult;
  return (await sendPayloadMediaSequence(params)) ?? fallbackResult;
}

const inChunks = (text, { textChunkLimit, chunker }, ...rest) => (textChunkLimit && chunker ? chunker(text, textChunkLimit, ...rest) : [text]);

/** Sends a payload: its media with the text, or the text in chunks. @param {any} params @returns {Promise<any>} */
export async function sendPayloadWithChunkedTextAndMedia({ ctx, sendText, sendMedia, emptyResult, ...limits }) {
  const text = ctx.payload.text ?? '';
  const mediaUrls = resolveOutboundMediaUrls(ctx.payload);
  if (!text && mediaUrls.length === 0) return emptyResult;
  let result;
  for (const [index, mediaUrl] of mediaUrls.entries()) result = await sendMedia({ ...ctx, text: index === 0 ? text : '', mediaUrl });
  if (mediaUrls.length === 0) for (const chunk of inChunks(text, limits)) result = await sendText({ ...ctx, text: chunk });
  return result;
}

/** The same with an outbound adapter; references to the answered message are handed out. @param {{channel: string, ctx: any, adapter: any}} params @returns {Promise<any>} */
export async function sendTextMediaPayload({ channel, ctx, adapter }) {
  const { payload } = ctx;
  const text = payload.text ?? '';
  const mediaUrls = resolveOutboundMediaUrls(payload);
  const nothing = { channel, messageId: '' };
  if (!text && mediaUrls.length === 0) return nothing;
  const nextReplyToId = createReplyToFanout(ctx);
  if (mediaUrls.length === 0) {
    let result;
    for (const chunk of inChunks(text, adapter, { formatting: ctx.formatting })) result = await adapter.sendText({ ...ctx, text: chunk, replyToId: nextReplyToId() });
    return result;
  }
  const audioAsVoice = payload.audioAsVoice ?? ctx.audioAsVoice;
  const send = (part) => adapter.sendMedia({ ...ctx, text: part.text, mediaUrl: part.mediaUrl, ...(audioAsVoice === undefined ? {} : { audioAsVoice }), replyToId: nextReplyToId() });
  return (await sendPayloadMediaSequence({ text, mediaUrls, send })) ?? nothing;
}

const texts = (list) => (Array.isArray(list) ? list.filter((item) => typeof item === 'string' && item.length > 0) : undefined);
const string = (value) => (typeof value === 'string' ? value : undefined);

/** The members of a payload that a channel sends, with the right types. @param {Record<string, unknown>} payload @returns {any} */
export const normalizeOutboundReplyPayload = (payload) => ({
  text: string(payload.text),
  mediaUrls: texts(payload.mediaUrls),
  mediaUrl: string(payload.mediaUrl),
  presentation: asOptionalRecord(payload.presentation),
  interactive: asOptionalRecord(payload.interactive),
  channelData: asOptionalRecord(payload.channelData),
  sensitiveMedia: payload.sensitiveMedia === true ? true : undefined,
  replyToId: string(payload.replyToId),
});
/** A handler that gets normalised payloads. @param {(payload: any) => any} handler @returns {(payload: unknown) => Promise<void>} */
export const createNormalizedOutboundDeliverer = (handler) => async (payload) => void (await handler(isRecord(payload) ? normalizeOutboundReplyPayload(payload) : {}));
