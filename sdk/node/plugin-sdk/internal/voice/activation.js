// Names by which an assistant is called at the start or the end of what is said.

/** The most words that such a name may have. */
export const REALTIME_VOICE_ACTIVATION_NAME_MAX_WORDS = 2;

const words = (text) => Array.from(text.matchAll(/[a-z0-9]+/gi));
const compact = (text) => text.toLowerCase().replace(/[^a-z0-9]+/g, '');
const spoken = (text) => text.toLowerCase().replace(/[^a-z0-9]+/g, ' ').trim();

/** How many words a name has. @param {string} value @returns {number} */
export const realtimeVoiceActivationNameWordCount = (value) => words(value).length;
/** A name in lower case. @param {string} value @returns {string | undefined} */
export const normalizeRealtimeVoiceActivationName = (value) => value.toLowerCase().replace(/\s+/g, ' ').trim() || undefined;
/** The first words of a name. @param {string} value @param {number} [maxWords] @returns {string | undefined} */
export const normalizeRealtimeVoiceActivationNamePrefix = (value, maxWords = 2) => words(value).slice(0, maxWords).map(([word]) => word).join(' ') || undefined;
/** Whether a name is short enough. @param {string} value @param {number} [maxWords] @returns {boolean} */
export const isSupportedRealtimeVoiceActivationName = (value, maxWords = 2) => words(value).length >= 1 && words(value).length <= maxWords;
/** The name when it is short enough. @param {unknown} value @param {number} [maxWords] @returns {string | undefined} */
export function normalizeSupportedRealtimeVoiceActivationName(value, maxWords = 2) {
  const name = typeof value === 'string' ? normalizeRealtimeVoiceActivationName(value) : undefined;
  return name && isSupportedRealtimeVoiceActivationName(name, maxWords) ? name : undefined;
}
/** Names, the longest first. @param {string[]} names @returns {string[]} */
export const sortRealtimeVoiceActivationNames = (names) => [...names].sort((a, b) => b.length - a.length || a.localeCompare(b));

/** What may be a name at the start of a text. */
function leading(text, maxWords) {
  const greeting = /^\s*(?:(?:hey|ok|okay)(?:\s*[-,:;]+\s*|\s+))?/i.exec(text)?.[0].length ?? 0;
  return (greeting > 0 ? [0, greeting] : [0]).flatMap((start) => {
    const found = [];
    let end = start;
    for (const match of words(text.slice(start)).slice(0, maxWords)) {
      const at = start + match.index;
      if (found.length > 0 && !/^[\s'-]+$/.test(text.slice(end, at))) break;
      end = at + match[0].length;
      found.push({ edge: 'leading', heardName: spoken(text.slice(start, end)), start, end, strong: /^\s*([,.:;!?-]|$)/.test(text.slice(end)) });
    }
    return found;
  });
}

/** What may be a name at its end. */
function trailing(text, maxWords) {
  const all = words(text);
  const last = all.at(-1);
  if (!last || !/^\s*(?:[,.:;!?-]+\s*)?$/.test(text.slice(last.index + last[0].length))) return [];
  const end = last.index + last[0].length;
  const found = [];
  for (let count = 1; count <= Math.min(all.length, maxWords); count++) {
    const first = all.at(-count);
    if (!/(^|[\s,.:;!?-])$/.test(text.slice(0, first.index))) break;
    if (count > 1 && !/^[\s'-]+$/.test(text.slice(first.index + first[0].length, all.at(-count + 1).index))) break;
    const strong = /(^|[,.:;!?-]\s*)$/.test(text.slice(0, first.index)) && /\?\s*$/.test(text);
    found.push({ edge: 'trailing', heardName: spoken(text.slice(first.index, end)), start: first.index, end, strong });
  }
  return found;
}

function distance(a, b) {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) next.push(Math.min(row[j] + 1, next[j - 1] + 1, row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1)));
    row = next;
  }
  return row[b.length];
}

/** Whether words differ only in vowels, or in `l` and `r`. */
function soundsAlike(a, b) {
  if (a.length !== b.length || a === b) return false;
  const both = (set, i) => set.includes(a[i]) && set.includes(b[i]);
  return [...a].every((letter, i) => letter === b[i] || both('aeiouy', i) || both('lr', i));
}
const samePrefix = (a, b) => {
  let n = 0;
  while (n < a.length && n < b.length && a[n] === b[n]) n++;
  return n;
};

function nearly(candidate, heard, name) {
  if (!heard || name.length < 5 || !candidate.strong || heard[0] !== name[0]) return false;
  if (candidate.edge === 'trailing') return soundsAlike(heard, name);
  const apart = distance(heard, name);
  if (apart <= 1) return true;
  const other = heard.length !== name.length;
  if (apart === 2 && heard.length >= 4) return other || soundsAlike(heard, name) || samePrefix(heard, name) >= 6;
  return apart === 3 && heard.length >= 7 && name.length >= 7 && other && samePrefix(heard, name) >= 5;
}

/** The name that a text begins or ends with, and the rest of the text. @param {string} text @param {string[]} activationNames @param {number} [maxWords] @returns {{ allowed: true, text: string, activationName: string, heardName: string, match: 'exact' | 'fuzzy', edge: string } | undefined} */
export function matchRealtimeVoiceActivationName(text, activationNames, maxWords = 2) {
  const names = activationNames.map((activationName) => ({ activationName, name: compact(activationName) })).filter(({ name }) => name);
  const candidates = [...leading(text, maxWords), ...trailing(text, maxWords)].sort((a, b) => compact(b.heardName).length - compact(a.heardName).length);
  for (const candidate of candidates) {
    const heard = compact(candidate.heardName);
    for (const { activationName, name } of names) {
      const exact = heard === name;
      if (!exact && !nearly(candidate, heard, name)) continue;
      const rest = candidate.edge === 'leading' ? text.slice(candidate.end).replace(/^\s*(?:[-,:;.!?]+\s*)?/, '') : text.slice(0, candidate.start).replace(/\s*(?:[-,:;.!?]+\s*)?$/, '');
      return { allowed: true, text: rest.trim(), activationName, heardName: candidate.heardName, match: exact ? 'exact' : 'fuzzy', edge: candidate.edge };
    }
  }
  return undefined;
}
