// Results of tools, and tool calls that a model wrote as text.
import { isRecord } from './strings.js';

/**
 * What a tool's result says: its details, else its text (as JSON when it is).
 * @param {{details?: unknown, content?: unknown} | null | undefined} result
 * @returns {unknown}
 */
export function extractToolPayload(result) {
  if (!result) return undefined;
  if (result.details !== undefined) return result.details;
  const block = Array.isArray(result.content) ? result.content.find((part) => part?.type === 'text' && typeof part.text === 'string') : undefined;
  if (!block?.text) return result.content ?? result;
  try {
    return JSON.parse(block.text);
  } catch {
    return block.text;
  }
}

/** The largest arguments of a call that is read, in characters. */
const MAX_ARGUMENTS = 256_000;
const BRACKET = /\[([\w-]+)\][ \t]*(?:\r\n|\r|\n)/y;
const HARMONY = /(?:<\|channel\|>)?(?:commentary|analysis|final)[ \t]*to=([\w-]+)[ \t]*code\s*(?:<\|message\|>\s*)?/y;

const match = (pattern, text, at) => {
  pattern.lastIndex = at;
  return pattern.exec(text);
};

/** The JSON object that begins at a position. */
function objectAt(text, start, limit) {
  const from = match(/\s*/y, text, start)[0].length + start;
  if (text[from] !== '{') return null;
  const tokens = /"(?:[^"\\]|\\[\s\S])*"|[{}]/g;
  tokens.lastIndex = from;
  let depth = 0;
  for (let token = tokens.exec(text); token; token = tokens.exec(text)) {
    if (token.index + token[0].length - from > limit) return null;
    depth += { '{': 1, '}': -1 }[token[0]] ?? 0;
    if (depth > 0) continue;
    try {
      const value = JSON.parse(text.slice(from, tokens.lastIndex));
      return isRecord(value) ? { value, end: tokens.lastIndex } : null;
    } catch {
      return null;
    }
  }
  return null;
}

function callAt(text, start, { allowedToolNames, maxPayloadBytes = MAX_ARGUMENTS } = {}) {
  const bracket = match(BRACKET, text, start);
  const opening = bracket ?? match(HARMONY, text, start);
  const name = opening?.[1];
  if (!opening || (allowedToolNames && ![...allowedToolNames].includes(name))) return null;
  const payload = objectAt(text, start + opening[0].length, maxPayloadBytes);
  if (!payload) return null;
  const rest = match(/\s*/y, text, payload.end)[0].length + payload.end;
  const closings = bracket ? ['[END_TOOL_REQUEST]', `[/${name}]`] : ['<|call|>'];
  const closing = closings.find((word) => text.startsWith(word, rest));
  if (!closing && bracket) return null;
  const end = closing ? rest + closing.length : payload.end;
  return { arguments: payload.value, end, name, raw: text.slice(start, end), start };
}

/**
 * The calls of a text that is nothing but calls.
 * @param {string} text
 * @param {{allowedToolNames?: Iterable<string>, maxPayloadBytes?: number}} [options]
 * @returns {Array<{name: string, arguments: object, raw: string, start: number, end: number}> | null}
 */
export function parseStandalonePlainTextToolCallBlocks(text, options) {
  const calls = [];
  const skip = (at) => match(/\s*/y, text, at)[0].length + at;
  for (let at = skip(0); at < text.length; at = skip(calls.at(-1).end)) {
    const call = callAt(text, at, options);
    if (!call) return null;
    calls.push(call);
  }
  return calls.length > 0 ? calls : null;
}

/**
 * A text without the calls that begin a line of it.
 * @param {string} text
 * @returns {string}
 */
export function stripPlainTextToolCallBlocks(text) {
  if (!text) return text;
  let out = '';
  let kept = 0;
  for (let line = 0; line < text.length;) {
    const call = callAt(text, match(/[ \t]*/y, text, line)[0].length + line);
    if (call) {
      out += text.slice(kept, line);
      kept = call.end + match(/(?:\r\n|\r|\n)?/y, text, call.end)[0].length;
      line = kept;
      if (text[line - 1] === '\n') continue;
    }
    const next = text.indexOf('\n', line);
    if (next < 0) break;
    line = next + 1;
  }
  return out + text.slice(kept);
}
