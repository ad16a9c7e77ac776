// Patterns of strangers: compiled only when none of their repetitions holds another one, and tried on bounded texts.

/** Patterns that are kept, and the characters that one is tried on. */
const [KEPT, WINDOW] = [256, 2048];
const kept = new Map();

/** Reads a quantifier; `undefined` for none. */
function quantifierAt(source, at) {
  const [text, low, comma, high] = /^(?:[*+?]|\{(\d+)(,)?(\d*)\})\??/.exec(source.slice(at)) ?? [];
  if (!text) return undefined;
  if (text[0] !== '{') return { length: text.length, max: text[0] === '?' ? 1 : Infinity, min: text[0] === '+' ? 1 : 0 };
  if (comma && high !== '' && Number(high) < Number(low)) return undefined;
  return { length: text.length, min: Number(low), max: comma ? (high === '' ? Infinity : Number(high)) : Number(low) };
}
const addLengths = (a, b) => ({ min: a.min + b.min, max: a.max + b.max });

/** Whether a repetition stands in another one, or choices of different length are repeated. @param {string} source @returns {boolean} */
export function hasNestedRepetition(source) {
  const frames = [{ repeats: false, branch: { min: 0, max: 0 }, branches: [] }];
  let last;
  const put = (piece) => {
    const frame = frames.at(-1);
    last = piece;
    frame.branch = addLengths(frame.branch, piece);
    frame.repeats ||= piece.repeats;
  };
  for (let at = 0; at < source.length; at++) {
    const char = source[at];
    if (char === '\\') {
      at++;
      put({ min: 1, max: 1, repeats: false, ambiguous: false });
    } else if (char === '[') {
      for (at++; at < source.length && source[at] !== ']'; at++) if (source[at] === '\\') at++;
      put({ min: 1, max: 1, repeats: false, ambiguous: false });
    } else if (char === '(') {
      frames.push({ repeats: false, branch: { min: 0, max: 0 }, branches: [] });
      last = undefined;
      at += /^\?(?:[:=!]|<[=!]|<[^>]*>)/.exec(source.slice(at + 1))?.[0].length ?? 0;
    } else if (char === ')') {
      if (frames.length === 1) continue;
      const { repeats, branch, branches } = frames.pop();
      const all = [...branches, branch];
      const [min, max] = [Math.min(...all.map((one) => one.min)), Math.max(...all.map((one) => one.max))];
      put({ min, max, repeats, ambiguous: all.length > 1 && min !== max });
    } else if (char === '|') {
      const frame = frames.at(-1);
      frame.branches.push(frame.branch);
      frame.branch = { min: 0, max: 0 };
      last = undefined;
    } else {
      const quantifier = quantifierAt(source, at);
      if (!quantifier) {
        put({ min: 1, max: 1, repeats: false, ambiguous: false });
        continue;
      }
      at += quantifier.length - 1;
      if (!last) continue;
      if (last.repeats) return true;
      if (last.ambiguous && quantifier.max === Infinity) return true;
      const frame = frames.at(-1);
      frame.branch = addLengths(frame.branch, { min: last.min * (quantifier.min - 1), max: last.max === 0 ? 0 : last.max * (quantifier.max - 1) });
      frame.repeats = true;
      last = { ...last, repeats: true };
    }
  }
  return false;
}

/** @param {string} source @param {string} [flags] @returns {{regex: RegExp | null, source: string, flags: string, reason: 'empty' | 'unsafe-nested-repetition' | 'invalid-regex' | null}} */
export function compileSafeRegexDetailed(source, flags = '') {
  const text = source.trim();
  if (!text) return { regex: null, source: text, flags, reason: 'empty' };
  const key = `${flags}::${text}`;
  const known = kept.get(key);
  if (known) return known;
  let result = { regex: null, source: text, flags, reason: hasNestedRepetition(text) ? 'unsafe-nested-repetition' : 'invalid-regex' };
  try {
    if (result.reason === 'invalid-regex') result = { ...result, regex: new RegExp(text, flags), reason: null };
  } catch {
    // The reason says it.
  }
  kept.set(key, result);
  if (kept.size > KEPT) kept.delete(kept.keys().next().value);
  return result;
}
/** @param {string} source @param {string} [flags] @returns {RegExp | null} */
export const compileSafeRegex = (source, flags) => compileSafeRegexDetailed(source, flags).regex;
/** Tries a pattern on the beginning and the end of a long text. @param {RegExp} regex @param {string} input @param {number} [window] in characters @returns {boolean} */
export function testRegexWithBoundedInput(regex, input, window = WINDOW) {
  const tries = window <= 0 ? [] : input.length <= window ? [input] : [input.slice(0, window), input.slice(-window)];
  return tries.some((part) => {
    regex.lastIndex = 0;
    return regex.test(part);
  });
}
