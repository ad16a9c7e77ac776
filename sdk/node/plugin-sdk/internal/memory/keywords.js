// Words of a query that are worth searching for.
import { KOREAN_PARTICLES, KOREAN_STOP_WORDS, STOP_WORDS } from './stop-words.js';
import { normalizeLowercaseStringOrEmpty } from '../strings.js';

const pairs = (letters) => letters.slice(0, -1).map((letter, index) => letter + letters[index + 1]);

function japanese(segment, trigram) {
  const parts = segment.match(/[a-z0-9_]+|[\u30a0-\u30ffー]+|[\u4e00-\u9fff]+|[\u3040-\u309f]{2,}/g) ?? [];
  return parts.flatMap((part) => (/^[\u4e00-\u9fff]+$/.test(part) && !trigram ? [part, ...pairs([...part])] : [part]));
}
function chinese(segment, trigram) {
  const letters = [...segment].filter((letter) => /[\u4e00-\u9fff]/.test(letter));
  return trigram ? [letters.join('')] : [...letters, ...pairs(letters)];
}
function korean(segment) {
  const particle = KOREAN_PARTICLES.find((end) => segment.length > end.length && segment.endsWith(end));
  const stem = particle && segment.slice(0, -particle.length);
  if (stem !== undefined && KOREAN_STOP_WORDS.has(stem)) return [];
  const useful = stem && (/[\uac00-\ud7af]/.test(stem) ? stem.length >= 2 : /^[a-z0-9_]+$/i.test(stem));
  return [...(KOREAN_STOP_WORDS.has(segment) ? [] : [segment]), ...(useful ? [stem] : [])];
}
function tokens(segment, trigram) {
  if (/[\u3040-\u30ff]/.test(segment)) return japanese(segment, trigram);
  if (/[\u4e00-\u9fff]/.test(segment)) return chinese(segment, trigram);
  return /[\uac00-\ud7af\u3131-\u3163]/.test(segment) ? korean(segment) : [segment];
}

/** Whether a word says nothing. @param {string} token @returns {boolean} */
export const isQueryStopWordToken = (token) => STOP_WORDS.has(token);

const useful = (token) => token && !(/^[a-zA-Z]+$/.test(token) && token.length < 3) && !/^\d+$/.test(token) && !/^[\p{P}\p{S}]+$/u.test(token);
/** The words of a query, each once. @param {string} query @param {{ ftsTokenizer?: 'unicode61' | 'trigram' }} [opts] @returns {string[]} */
export function extractKeywords(query, opts) {
  const segments = normalizeLowercaseStringOrEmpty(query).split(/[\s\p{P}]+/u).filter(Boolean);
  const all = segments.flatMap((segment) => tokens(segment, opts?.ftsTokenizer === 'trigram'));
  return [...new Set(all)].filter((token) => !isQueryStopWordToken(token) && useful(token));
}
