// What of a model's text people are meant to see. Code keeps everything: a tag in a fence or in backticks is an example.

const CODE = /(?<![^\n])(```|~~~)[^\n]*\n[\s\S]*?(?:\n\1|$)|`+[^`]+`+/g;
const THINKING = /<\s*(\/?)\s*(?:(?:antml:)?think(?:ing)?|thought|antthinking)\b[^<>]*>/gi;
const MEMORIES = /<\s*(\/?)\s*relevant[-_]memories\b[^<>]*>/gi;
const FINAL = /<\s*\/?\s*final\b[^<>]*>/gi;
const MINIMAX = /<minimax:tool_call>[\s\S]*?(?:<\/minimax:tool_call>|$)/gi;
const TOOL_CALL = /<tool_calls?\b[^<>]*>\s*(?=[{[<])[\s\S]*?(?:<\/tool_calls?>|$)/gi;
const CONTROL = /<\|[^|<>\n]{1,64}\|>/g;
const BRACKET_CALL = /\[Tool Call: [^\]\n]*\]\s*(?:\n?Arguments:\s*(?:\{[\s\S]*?\}(?=\s*(?:\n|$))|[^\n]*))?\n?/gi;
const BRACKET_RESULT = /\[Tool Result for ID [^\]\n]*\][\s\S]*?(?=\n*\[Tool |$)/gi;
const BRACKET_HISTORY = /\[Historical context: [^\]\n]*\]\n?/gi;

/** Where code is: fences and backticks. @param {string} text @returns {{start: number, end: number}[]} */
export const findCodeRegions = (text) => [...text.matchAll(CODE)].map((match) => ({ start: match.index, end: match.index + match[0].length }));
/** @param {number} position @param {{start: number, end: number}[]} regions @returns {boolean} */
export const isInsideCode = (position, regions) => regions.some(({ start, end }) => position >= start && position < end);

/** Applies `change` to the parts of a text that are no code. */
function outsideCode(text, change) {
  let out = '';
  let at = 0;
  for (const match of text.matchAll(CODE)) {
    out += change(text.slice(at, match.index)) + match[0];
    at = match.index + match[0].length;
  }
  return out + change(text.slice(at));
}

/** Removes what is between opening and closing tags, nested ones too; without a closing tag the rest goes. */
function dropBlocks(text, tag) {
  const code = findCodeRegions(text);
  let [out, at, depth] = ['', 0, 0];
  for (const match of text.matchAll(tag)) {
    if (isInsideCode(match.index, code)) continue;
    if (depth === 0) out += text.slice(at, match.index);
    depth = match[1] ? Math.max(0, depth - 1) : depth + 1;
    at = match.index + match[0].length;
  }
  return depth === 0 ? out + text.slice(at) : out;
}

/** The text without thinking, memories, tool calls written as text, and control tokens. */
export function sanitizeAssistantVisibleText(text) {
  if (!text) return '';
  let out = dropBlocks(dropBlocks(text, THINKING), MEMORIES);
  out = outsideCode(out, (part) =>
    part.replace(MINIMAX, '').replace(TOOL_CALL, '').replace(BRACKET_CALL, '').replace(BRACKET_RESULT, '').replace(BRACKET_HISTORY, '')
      .replace(FINAL, '').replace(CONTROL, ' '));
  return out.trim();
}

const trimmed = (text, mode) => (mode === 'none' ? text : mode === 'start' ? text.trimStart() : text.trim());

/**
 * A text without the model's thoughts. A thought that was not closed goes too, unless `mode` is `preserve`; when nothing else is left it stays.
 * @param {string} text @param {{mode?: 'strict'|'preserve', trim?: 'both'|'start'|'none'}} [options] @returns {string}
 */
export function stripReasoningTagsFromText(text, { mode = 'strict', trim = 'both' } = {}) {
  const plain = text && outsideCode(text, (part) => part.replace(FINAL, ''));
  const code = findCodeRegions(plain ?? '');
  const tags = [...(plain ?? '').matchAll(THINKING)].filter((match) => !isInsideCode(match.index, code));
  if (tags.length === 0) return plain === text ? text : trimmed(plain, trim);
  let [out, at, depth] = ['', 0, 0];
  let open;
  for (const match of tags) {
    const after = match.index + match[0].length;
    const closes = match[1] === '/';
    if (depth === 0) {
      const before = plain.slice(at, match.index);
      // What stands before a lone closing tag was a thought, when there is something behind it.
      out = closes && hasOrphanReasoningCloseBoundary({ before, after: plain.slice(after) }) ? '' : out + before;
      if (!closes) open = after;
    }
    depth = closes ? Math.max(0, depth - 1) : depth + 1;
    at = after;
  }
  if (depth === 0 || mode === 'preserve') out += plain.slice(at);
  const rest = trimmed(out, trim);
  return mode === 'strict' && depth > 0 && !rest ? trimmed(plain.slice(open), trim) : rest;
}
/** Whether a lone closing tag parts a thought from a text. @param {{before: string, after: string}} params @returns {boolean} */
export const hasOrphanReasoningCloseBoundary = ({ before, after }) => before.trim() !== '' && after.trim() !== '';

/** A text without tool calls that were written as XML with JSON in them. @param {string} text @returns {string} */
export const stripToolCallXmlTags = (text) => text && outsideCode(text, (part) => part.replace(TOOL_CALL, ''));
/** @param {string} text @returns {string} */
export const stripMinimaxToolCallXml = (text) => text && outsideCode(text, (part) => part.replace(/<invoke\b[^>]*>[\s\S]*?<\/invoke>|<\/?minimax:tool_call>/gi, ''));
/** A text without tool calls that were written in brackets. @param {string} text @returns {string} */
export const stripDowngradedToolCallText = (text) =>
  !text || !/\[(?:Tool (?:Call|Result)|Historical context)/i.test(text) ? text : text.replace(BRACKET_CALL, '').replace(BRACKET_RESULT, '').replace(BRACKET_HISTORY, '').trim();

/** The text that people see, for a purpose: `delivery`, `history`, `tool-progress` or `internal-scaffolding`. @param {string} text @param {string} [profile] @returns {string} */
export function sanitizeAssistantVisibleTextWithProfile(text, profile = 'delivery') {
  if (!text) return text;
  if (profile === 'history') return stripReasoningTagsFromText(outsideCode(dropBlocks(text, MEMORIES), stripWrittenCalls), { trim: 'none' });
  if (profile !== 'internal-scaffolding') return sanitizeAssistantVisibleText(text);
  const plain = dropBlocks(stripReasoningTagsFromText(text, { mode: 'preserve', trim: 'start' }), MEMORIES);
  return outsideCode(plain, (part) => part.replace(TOOL_CALL, '').replace(CONTROL, ' ')).trimStart();
}
const stripWrittenCalls = (part) =>
  part.replace(MINIMAX, '').replace(TOOL_CALL, '').replace(BRACKET_CALL, '').replace(BRACKET_RESULT, '').replace(BRACKET_HISTORY, '').replace(CONTROL, ' ');
/** @param {string} text @param {{trim?: string}} [options] @returns {string} */
export const sanitizeAssistantVisibleTextWithOptions = (text, options) => sanitizeAssistantVisibleTextWithProfile(text, options?.trim === 'none' ? 'history' : 'delivery');
/** @param {string} text @returns {string} */
export const stripAssistantInternalScaffolding = (text) => sanitizeAssistantVisibleTextWithProfile(text, 'internal-scaffolding');
