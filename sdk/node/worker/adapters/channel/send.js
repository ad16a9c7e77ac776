// Sending through the `outbound` part of a channel: which sender, in which pieces.
import { createRequire } from 'node:module';
import { currentConfig } from '../../channels.js';

const require = createRequire(import.meta.url);
/** Pieces when neither the config nor the channel says how long a message may be (CH-162). */
const DEFAULT_LIMIT = 4000;
/** Most pieces of one message: a runaway answer must not flood a conversation. */
const MOST_PIECES = 50;

/** Sends one payload: a poll, a rich payload, media with the text as the first caption, or the text in pieces. */
export async function send(row, { payload = {}, poll, ...target }, { signal }) {
  const { outbound } = row.channel;
  if (!outbound) throw new Error(`the channel \`${row.id}\` cannot send: it has no outbound adapter`);
  const base = { cfg: currentConfig(), ...target, abortSignal: signal };
  if (poll) return { results: [identity(await sender(row, 'sendPoll')({ ...base, poll }))] };
  const text = cleaned(outbound, payload);
  const media = mediaOf(payload);
  const rich = payload.channelData || payload.presentation || payload.interactive || payload.audioAsVoice;
  if (rich && typeof outbound.sendPayload === 'function') {
    return finish(row, base, payload, [await outbound.sendPayload({ ...base, text, mediaUrl: media[0], payload })]);
  }
  if (media.length > 0) return finish(row, base, payload, await sendMedia(row, base, text, media, payload, signal));
  if (!text.trim()) throw new Error('the message has neither text nor media');
  return finish(row, base, payload, await sendText(row, base, text, signal));
}

function sender(row, name) {
  const { outbound } = row.channel;
  if (typeof outbound[name] === 'function') return (params) => outbound[name](params);
  throw new Error(`the channel \`${row.id}\` has no \`outbound.${name}\``);
}

const cleaned = (outbound, payload) => {
  const text = typeof payload.text === 'string' ? payload.text : '';
  return outbound.sanitizeText && text ? outbound.sanitizeText({ text, payload }) : text;
};

function mediaOf({ mediaUrls, mediaUrl }) {
  const urls = mediaUrls?.length ? mediaUrls : [mediaUrl];
  return [...new Set(urls.filter((url) => typeof url === 'string').map((url) => url.trim()))].filter(Boolean);
}

async function sendText(row, base, text, signal) {
  const { outbound } = row.channel;
  if (typeof outbound.sendFormattedText === 'function') return outbound.sendFormattedText({ ...base, text });
  const results = [];
  for (const piece of pieces(row, base, text)) {
    signal.throwIfAborted();
    results.push(await sender(row, 'sendText')({ ...base, text: piece }));
  }
  return results;
}

/** The text within the channel's limit; without a chunker of the channel it is sent whole (CH-162). */
export function pieces(row, { cfg, accountId }, text) {
  const { outbound } = row.channel;
  if (typeof outbound.chunker !== 'function') return [text];
  const settings = cfg.channels?.[row.id];
  const own = settings?.accounts?.[accountId]?.textChunkLimit ?? settings?.textChunkLimit;
  const fallbackLimit = own ?? outbound.textChunkLimit ?? DEFAULT_LIMIT;
  const limit = outbound.resolveEffectiveTextChunkLimit?.({ cfg, accountId, fallbackLimit }) ?? fallbackLimit;
  const mode = settings?.accounts?.[accountId]?.chunkMode ?? settings?.chunkMode;
  const { chunkByNewline } = require('../../../plugin-sdk/internal/chunk.js');
  const parts = mode === 'newline' ? chunkByNewline(text, limit) : [text];
  const out = parts.flatMap((part) => outbound.chunker(part, limit, {})).filter((piece) => piece.trim());
  if (out.length > MOST_PIECES) throw new Error(`the message would take ${out.length} pieces of ${limit} characters; at most ${MOST_PIECES} are sent`);
  return out;
}

async function sendMedia(row, base, text, media, payload, signal) {
  const { outbound } = row.channel;
  if (typeof outbound.sendMedia !== 'function') {
    if (!text.trim()) throw new Error(`the channel \`${row.id}\` cannot send media, and the message has no text`);
    return sendText(row, base, text, signal);
  }
  const results = [];
  for (const [index, mediaUrl] of media.entries()) {
    signal.throwIfAborted();
    results.push(await outbound.sendMedia({ ...base, text: index === 0 ? text : '', mediaUrl, audioAsVoice: payload.audioAsVoice }));
  }
  return results;
}

async function finish(row, { cfg, to, accountId, threadId }, payload, results) {
  const sent = [results].flat().filter(Boolean);
  await row.channel.outbound.afterDeliverPayload?.({ cfg, target: { channel: row.id, to, accountId, threadId }, payload, results: sent });
  return { results: sent.map(identity) };
}

/** What names a sent message; other members may be clients and buffers. */
function identity(result) {
  const out = {};
  for (const [key, value] of Object.entries(result ?? {})) if (['string', 'number', 'boolean'].includes(typeof value)) out[key] = value;
  if (Array.isArray(result?.receipt?.platformMessageIds)) out.platformMessageIds = result.receipt.platformMessageIds.map(String);
  return out;
}
