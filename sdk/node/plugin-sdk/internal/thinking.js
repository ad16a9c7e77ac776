// Levels of thinking.
import { normalizeOptionalLowercaseString } from './strings.js';

const WORDS = {
  off: 'off', on: 'low', enable: 'low', enabled: 'low', min: 'minimal', minimal: 'minimal', think: 'minimal',
  low: 'low', thinkhard: 'low', mid: 'medium', med: 'medium', medium: 'medium', thinkharder: 'medium', harder: 'medium',
  high: 'high', ultra: 'high', ultrathink: 'high', thinkhardest: 'high', highest: 'high',
  adaptive: 'adaptive', auto: 'adaptive', max: 'max', xhigh: 'xhigh', extrahigh: 'xhigh',
};
/** Words that may be written with spaces, dashes or underscores. */
const LOOSE = new Set(['adaptive', 'auto', 'max', 'xhigh', 'extrahigh']);

/** The canonical level of a word, or `undefined`. */
export function normalizeThinkingLevel(text) {
  const word = normalizeOptionalLowercaseString(text);
  if (!word) return undefined;
  const joined = word.replace(/[\s_-]+/g, '');
  if (LOOSE.has(joined)) return WORDS[joined];
  if (/^think[-_](?:hard|harder)$/.test(word)) return WORDS[joined];
  return Object.hasOwn(WORDS, word) ? WORDS[word] : undefined;
}
export const normalizeThinkLevel = normalizeThinkingLevel;
