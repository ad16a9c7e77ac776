// Directives that the model writes into its text: `[[reply_to_current]]`, `[[reply_to: id]]`, `[[audio_as_voice]]`.
import { normalizeOptionalString } from './strings.js';

const AUDIO = String.raw`\[\[\s*audio_as_voice\s*\]\]`;
const REPLY = String.raw`\[\[\s*(?:reply_to_current|reply_to\s*:\s*([^\]\n]+))\s*\]\]`;
const pattern = (source) => new RegExp(source, 'gi');
const MAX_ID = 256;
/** Fenced and indented code, where white space counts. */
const CODE = /(`{3,}|~{3,})[^\n]*\n[\s\S]*?\n\1[^\n]*|(?:(?:^|\n)(?: {4}|\t)[^\n]*)+/gm;

/** White space as it is after directives were taken out; code stays. */
function tidy(text) {
  const blocks = [];
  let mark = '\u0000';
  while (text.includes(mark)) mark += '\u0000';
  return text
    .replace(CODE, (block) => `${mark}${blocks.push(block) - 1}${mark}`)
    .replace(/\r\n/g, '\n')
    .replace(/(\S)[ \t]{2,}(\S)/g, '$1 $2')
    .replace(/^\n+/, '')
    .replace(/^[ \t](?=\S)/, '')
    .replace(/[ \t]+\n/g, '\n')
    .replace(/\n{3,}/g, '\n\n')
    .trimEnd()
    .replace(new RegExp(`${mark}(\\d+)${mark}`, 'g'), (_whole, index) => blocks[Number(index)]);
}

/** A directive between two words leaves a space. */
const gap = (source, offset, length) => (/\S/u.test(source[offset - 1] ?? ' ') && /\S/u.test(source[offset + length] ?? ' ') ? ' ' : '');

/** A text without its directives, and what they say. @param {string|undefined} text @param {{currentMessageId?: string, stripAudioTag?: boolean, stripReplyTags?: boolean}} [options] @returns {any} */
export function parseInlineDirectives(text, { currentMessageId, stripAudioTag = true, stripReplyTags = true } = {}) {
  const nothing = { audioAsVoice: false, replyToCurrent: false, hasAudioTag: false, hasReplyTag: false };
  if (!text?.includes('[[')) return { text: text ? tidy(text) : '', ...nothing };
  let [audio, current, reply] = [false, false, false];
  let explicit;
  let cleaned = text.replace(pattern(AUDIO), (match, offset, source) => {
    audio = true;
    return stripAudioTag ? gap(source, offset, match.length) : match;
  });
  cleaned = cleaned.replace(pattern(REPLY), (match, id, offset, source) => {
    reply = true;
    if (id === undefined) current = true;
    else explicit = id.trim() || explicit;
    return stripReplyTags ? gap(source, offset, match.length) : match;
  });
  return {
    text: tidy(cleaned),
    audioAsVoice: audio,
    replyToId: explicit ?? (current ? normalizeOptionalString(currentMessageId) : undefined),
    replyToExplicitId: explicit,
    replyToCurrent: current,
    hasAudioTag: audio,
    hasReplyTag: reply,
  };
}

/** A text without directives, as it is sent. @param {string} text @returns {{text: string, changed: boolean}} */
export function stripInlineDirectiveTagsForDelivery(text) {
  const stripped = (text ?? '').replace(pattern(String.raw`\s*(?:${AUDIO}|${REPLY})\s*`), ' ');
  const changed = Boolean(text) && stripped !== text;
  return { text: changed ? stripped.trim() : text, changed };
}
/** The same as it is shown; white space stays. @param {string} text @returns {{text: string, changed: boolean}} */
export function stripInlineDirectiveTagsForDisplay(text) {
  const stripped = text && text.replace(pattern(AUDIO), '').replace(pattern(REPLY), '');
  return { text: stripped, changed: stripped !== text };
}
/** The same for the texts of a message. @param {any} message @returns {any} */
export function stripInlineDirectiveTagsFromMessageForDisplay(message) {
  if (!Array.isArray(message?.content)) return message;
  const content = message.content.map((part) => {
    if (part?.type !== 'text' || typeof part.text !== 'string') return part;
    const { text, changed } = stripInlineDirectiveTagsForDisplay(part.text);
    return changed ? { ...part, text } : part;
  });
  return content.some((part, index) => part !== message.content[index]) ? { ...message, content } : message;
}

/** The id of a directive without what could end it. @param {string|undefined} raw @returns {string|undefined} */
export const sanitizeReplyDirectiveId = (raw) =>
  normalizeOptionalString((raw ?? '').trim().replace(/[\u0000-\u001f\u007f[\]]/g, ''))?.slice(0, MAX_ID);
