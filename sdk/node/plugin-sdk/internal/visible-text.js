// What of a model's text people are meant to see. Code keeps everything: a tag in a fence or in backticks is an example.

const CODE = /```[^\n]*\n[\s\S]*?(?:\n```|$)|~~~[^\n]*\n[\s\S]*?(?:\n~~~|$)|`[^`\n]+`/g;
const THINKING = /<\s*(\/?)\s*(?:(?:antml:)?think(?:ing)?|thought|antthinking)\b[^<>]*>/gi;
const MEMORIES = /<\s*(\/?)\s*relevant[-_]memories\b[^<>]*>/gi;
const FINAL = /<\s*\/?\s*final\b[^<>]*>/gi;
const MINIMAX = /<minimax:tool_call>[\s\S]*?(?:<\/minimax:tool_call>|$)/gi;
const TOOL_CALL = /<tool_calls?\b[^<>]*>\s*(?=[{[<])[\s\S]*?(?:<\/tool_calls?>|$)/gi;
const CONTROL = /<\|[^|<>\n]{1,64}\|>/g;
const BRACKET_CALL = /\[Tool Call: [^\]\n]*\]\s*(?:\n?Arguments:\s*(?:\{[\s\S]*?\}(?=\s*(?:\n|$))|[^\n]*))?\n?/gi;
const BRACKET_RESULT = /\[Tool Result for ID [^\]\n]*\][\s\S]*?(?=\n*\[Tool |$)/gi;
const BRACKET_HISTORY = /\[Historical context: [^\]\n]*\]\n?/gi;

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
  const code = [...text.matchAll(CODE)].map((match) => [match.index, match.index + match[0].length]);
  const inCode = (index) => code.some(([from, to]) => index >= from && index < to);
  let [out, at, depth] = ['', 0, 0];
  for (const match of text.matchAll(tag)) {
    if (inCode(match.index)) continue;
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
