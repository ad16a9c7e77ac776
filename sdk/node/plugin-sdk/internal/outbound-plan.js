// Payloads as they go out: without directives, reasoning and what is silent.
import { fencesOf } from './chunk.js';
import { parseInlineDirectives } from './inline-directives.js';
import { hasInteractiveReplyBlocks, hasMessagePresentationBlocks, hasReplyChannelData, hasReplyContent } from './presentation.js';
import { isReasoningReplyPayload } from './reply-send.js';
import { resolveSendableOutboundReplyParts } from './reply.js';
import { isSilentReplyPayloadText } from './silent-reply.js';

/** What a model says of an answer that it gave elsewhere. */
const RELAYED = [/^no channel reply\.?$/i, /^replied in-thread\.?$/i, /^replied in #[-\w]+\.?$/i];

/** Lines `MEDIA: https://…` outside of code become attachments; files of this machine are not the model's to give away. */
function takeMedia(text) {
  if (!/^\s*media:/im.test(text)) return { text };
  const fences = fencesOf(text);
  const [kept, mediaUrls] = [[], []];
  let at = 0;
  for (const line of text.split('\n')) {
    const url = /^\s*MEDIA:\s*`?(https:\/\/[^\s`]+)`?\s*$/i.exec(line)?.[1];
    if (url && !fences.some(({ start, end }) => at >= start && at < end)) mediaUrls.push(url);
    else kept.push(line);
    at += line.length + 1;
  }
  return mediaUrls.length > 0 ? { text: kept.join('\n').trim(), mediaUrls } : { text };
}

function parsed(raw) {
  const { text: rest, mediaUrls } = takeMedia(raw.trimEnd());
  const directives = parseInlineDirectives(rest);
  const text = directives.hasReplyTag || directives.hasAudioTag ? directives.text : rest.trim() ? rest : '';
  const silent = isSilentReplyPayloadText(text);
  return { ...directives, text: silent ? '' : text, silent, mediaUrls };
}

/** An aside with the question it answers. */
function withQuestion({ btw, text }) {
  const question = btw?.question?.trim();
  return question && text ? `BTW\nQuestion: ${question}\n\n${text}` : text;
}

function entryOf(payload, sourceIndex) {
  if (isReasoningReplyPayload(payload)) return undefined;
  const { text, silent, mediaUrls: named, replyToId, replyToCurrent, hasReplyTag, audioAsVoice } = parsed(payload.text ?? '');
  const given = payload.mediaUrls ?? named;
  const single = payload.mediaUrl ?? named?.[0];
  const mediaUrls = [...new Set([...(given ?? []), single].map((url) => url?.trim()).filter(Boolean))];
  if (mediaUrls.length === 0 && RELAYED.some((pattern) => pattern.test(text.trim()))) return undefined;
  const next = {
    ...payload, text: withQuestion({ ...payload, text }) ?? '', mediaUrls: mediaUrls.length > 0 ? mediaUrls : undefined, mediaUrl: (given?.length ?? 0) > 1 ? undefined : single,
    replyToId: payload.replyToId ?? replyToId, replyToTag: payload.replyToTag || hasReplyTag, replyToCurrent: payload.replyToCurrent || replyToCurrent || undefined,
    audioAsVoice: Boolean(payload.audioAsVoice || audioAsVoice),
  };
  const hasChannelData = hasReplyChannelData(next.channelData);
  if ((silent && mediaUrls.length === 0) || !(hasReplyContent({ ...next, hasChannelData }) || next.audioAsVoice)) return undefined;
  return { sourceIndex, payload: next, parts: resolveSendableOutboundReplyParts(next), hasPresentation: hasMessagePresentationBlocks(next.presentation), hasInteractive: hasInteractiveReplyBlocks(next.interactive), hasChannelData };
}

/** What is sent of payloads, with what each holds. @param {any[]} payloads @returns {any[]} */
export const createOutboundPayloadPlan = (payloads) => payloads.map(entryOf).filter(Boolean);
/** The payloads of a plan. @param {any[]} plan @returns {any[]} */
export const projectOutboundPayloadPlanForDelivery = (plan) => plan.map(({ payload }) => payload);
