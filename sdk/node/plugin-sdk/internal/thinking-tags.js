// Thoughts that a model writes into its text between tags.
import { findCodeRegions, isInsideCode, stripReasoningTagsFromText } from './visible-text.js';

const NAME = String.raw`(?:(?:antml:)?(?:think(?:ing)?|thought)|antthinking)`;
/** Each opening and closing tag. */
export const THINKING_TAG_SCAN_RE = new RegExp(String.raw`<\s*(\/?)\s*${NAME}\s*>`, 'gi');
const marksOf = (text) => [...text.matchAll(THINKING_TAG_SCAN_RE)].map((match) => ({ at: match.index, end: match.index + match[0].length, closes: match[1] === '/' }));

/** Thoughts and texts in order; `null` for a text that does not begin with a thought. @param {string} text @returns {({type: 'thinking', thinking: string} | {type: 'text', text: string})[] | null} */
export function splitThinkingTaggedText(text) {
  const marks = marksOf(text);
  if (!text.trimStart().startsWith('<') || !marks.some(({ closes }) => !closes) || !marks.some(({ closes }) => closes)) return null;
  const parts = [];
  let [from, open] = [0, undefined];
  for (const { at, end, closes } of marks) {
    if (open === undefined && !closes) {
      if (at > from) parts.push({ type: 'text', text: text.slice(from, at) });
      open = end;
    } else if (open !== undefined && closes) {
      const thinking = text.slice(open, at).trim();
      if (thinking) parts.push({ type: 'thinking', thinking });
      [from, open] = [end, undefined];
    }
  }
  if (open !== undefined) return null;
  if (from < text.length) parts.push({ type: 'text', text: text.slice(from) });
  return parts.some(({ type }) => type === 'thinking') ? parts : null;
}
/** The thoughts alone. @param {string} text @returns {string} */
export function extractThinkingFromTaggedText(text) {
  let [out, from, inside] = ['', 0, false];
  for (const { at, end, closes } of marksOf(text ?? '')) {
    if (inside) out += text.slice(from, at);
    [from, inside] = [end, !closes];
  }
  return out.trim();
}
/** The same of a text that is still being written. @param {string} text @returns {string} */
export function extractThinkingFromTaggedStream(text) {
  const closed = text ? extractThinkingFromTaggedText(text) : '';
  if (closed) return closed;
  const marks = marksOf(text ?? '');
  const open = marks.findLast(({ closes }) => !closes);
  return open && marks.at(-1) === open ? text.slice(open.end).trim() : '';
}
/** Makes thoughts of a message its own blocks. @param {{content: any[]}} message @returns {void} */
export function promoteThinkingTagsToBlocks(message) {
  if (!Array.isArray(message.content) || message.content.some((block) => block?.type === 'thinking')) return;
  const content = message.content.flatMap((block) => {
    const parts = block?.type === 'text' ? splitThinkingTaggedText(block.text) : null;
    if (!parts) return [block];
    return parts.map((part) => (part.type === 'text' ? { type: 'text', text: part.text.trimStart() } : part)).filter((part) => part.type === 'thinking' || part.text);
  });
  if (content.length !== message.content.length || content.some((block, index) => block !== message.content[index])) message.content = content;
}
/** A text without thoughts. @param {string} text @returns {string} */
export const stripThinkingTagsFromText = (text) => stripReasoningTagsFromText(text, { mode: 'strict', trim: 'both' });
/** The thoughts of an answer. @param {{content: any}} message @returns {string} */
export const extractAssistantThinking = ({ content }) =>
  (Array.isArray(content) ? content : []).filter((block) => block?.type === 'thinking' && typeof block.thinking === 'string')
    .map(({ thinking, thinkingSignature }) => thinking.trim() || (typeof thinkingSignature === 'string' && thinkingSignature.trim() ? 'The model thought, and gave no summary of it.' : '')).filter(Boolean).join('\n').trim();
/** @param {{role?: string} | undefined} message @returns {boolean} */
export const isAssistantMessage = (message) => message?.role === 'assistant';

/** A text without the control words of models; code keeps them. @param {string} text @returns {string} */
export function stripModelSpecialTokens(text) {
  if (!text) return text;
  const regions = findCodeRegions(text);
  const inCode = (start, end) => isInsideCode(start, regions) || regions.some((region) => start < region.end && end > region.start);
  const solid = (char) => char !== undefined && /\S/.test(char);
  return text.replace(/<[|｜][^|｜]*[|｜]>/g, (match, start) => (inCode(start, start + match.length) ? match : solid(text[start - 1]) && solid(text[start + match.length]) ? ' ' : ''));
}
