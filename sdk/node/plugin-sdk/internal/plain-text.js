// Texts for channels without markup, and small tools for texts.
import os from 'node:os';
import { normalizeLowercaseStringOrEmpty } from './strings.js';

/** Endings of files that are also ends of host names. */
export const FILE_REF_EXTENSIONS_WITH_TLD = new Set(['md', 'go', 'py', 'pl', 'sh', 'am', 'at', 'be', 'cc']);

/** Whether a link was made of the name of a file. @param {string} href @param {string} label @returns {boolean} */
export function isAutoLinkedFileRef(href, label) {
  if (href.replace(/^https?:\/\//i, '') !== label) return false;
  const folders = label.split('/').slice(0, -1);
  const dot = label.lastIndexOf('.');
  return dot >= 1 && FILE_REF_EXTENSIONS_WITH_TLD.has(normalizeLowercaseStringOrEmpty(label.slice(dot + 1))) && !folders.some((part) => part.includes('.'));
}

/** A text without Markdown's marks. @param {string} text @returns {string} */
export function stripMarkdown(text) {
  const rules = [
    [/\*\*(.+?)\*\*/g, '$1'], [/__(.+?)__/g, '$1'], [/(?<!\*)\*(?!\*)(.+?)(?<!\*)\*(?!\*)/g, '$1'],
    [/(?<![\p{L}\p{N}])_(?!_)(.+?)(?<!_)_(?![\p{L}\p{N}])/gu, '$1'], [/~~(.+?)~~/g, '$1'], [/^#{1,6}\s+(.+)$/gm, '$1'], [/^>\s?(.*)$/gm, '$1'],
    [/^[-*_]{3,}$/gm, ''], [/`([^`]+)`/g, '$1'], [/\n{3,}/g, '\n\n'],
  ];
  return rules.reduce((plain, [mark, content]) => plain.replace(mark, content), text).trim();
}

/** HTML as the plain marks that chats know; other tags go. @param {string} text @returns {string} */
export function sanitizeForPlainText(text) {
  const rules = [
    [/<((?:https?:\/\/|mailto:)[^<>\s]+)>/gi, '$1'], [/<br\s*\/?>/gi, '\n'], [/<\/?(?:p|div)>/gi, '\n'], [/<(b|strong)>(.*?)<\/\1>/gi, '*$2*'],
    [/<(i|em)>(.*?)<\/\1>/gi, '_$2_'], [/<(s|strike|del)>(.*?)<\/\1>/gi, '~$2~'], [/<code>(.*?)<\/code>/gi, '`$1`'],
    [/<h[1-6][^>]*>(.*?)<\/h[1-6]>/gi, '\n*$1*\n'], [/<li[^>]*>(.*?)<\/li>/gi, '• $1\n'],
  ];
  let plain = rules.reduce((current, [tag, mark]) => current.replace(tag, mark), text);
  for (let before; before !== plain;) {
    before = plain;
    plain = plain.replace(/<\/?[a-z][^>]*>/gi, '');
  }
  return plain.replace(/\n{3,}/g, '\n\n');
}

/** Lists of at most `size` items; all in one without a size. @template T @param {readonly T[]} items @param {number} size @returns {T[][]} */
export function chunkItems(items, size) {
  if (size <= 0) return [Array.from(items)];
  return Array.from({ length: Math.ceil(items.length / size) }, (_none, row) => items.slice(row * size, (row + 1) * size));
}

/** @param {number} value @param {number} min @param {number} max @returns {number} */
export const clampNumber = (value, min, max) => Math.max(min, Math.min(max, value));
/** @param {number} value @param {number} min @param {number} max @returns {number} */
export const clampInt = (value, min, max) => clampNumber(Math.floor(value), min, max);
export { clampNumber as clamp };

const splitsPair = (text, at) => at > 0 && at < text.length && /[\ud800-\udbff]/.test(text[at - 1]) && /[\udc00-\udfff]/.test(text[at]);
/** `slice` that leaves no half of a character. @param {string} text @param {number} start @param {number} [end] @returns {string} */
export function sliceUtf16Safe(text, start, end) {
  const place = (value) => (value < 0 ? Math.max(text.length + value, 0) : Math.min(value, text.length));
  const [from, to] = [place(start), end === undefined ? text.length : place(end)].sort((a, b) => a - b);
  return text.slice(splitsPair(text, from) ? from + 1 : from, splitsPair(text, to) ? to - 1 : to);
}
/** @param {string} text @param {number} maxLength in UTF-16 units @returns {string} */
export const truncateUtf16Safe = (text, maxLength) => sliceUtf16Safe(text, 0, Math.max(0, Math.floor(maxLength)));

/** Parsed JSON, or `null`. @param {string} raw @returns {any} */
export function safeParseJson(raw) {
  try {
    return JSON.parse(raw);
  } catch {
    return null;
  }
}

const homePrefix = () => (process.env.OPENCLAW_HOME?.trim() ? [process.env.OPENCLAW_HOME.trim(), '$OPENCLAW_HOME'] : [process.env.HOME?.trim() || os.homedir(), '~']);
/** A text with `~` for the home directory wherever it stands. @param {string} text @returns {string} */
export function shortenHomeInString(text) {
  const [home, prefix] = homePrefix();
  return text && home ? text.split(home).join(prefix) : text;
}
/** A path with `~` for the home directory. @param {string} file @returns {string} */
export function shortenHomePath(file) {
  const [home, prefix] = homePrefix();
  return file && home && (file === home || file.startsWith(`${home}/`) || file.startsWith(`${home}\\`)) ? prefix + file.slice(home.length) : file;
}
export { shortenHomeInString as displayString, shortenHomePath as displayPath };

/** A text on one line for a terminal, without control characters. @param {string} text @returns {string} */
export const sanitizeTerminalText = (text) =>
  text.replace(/\u001b(?:\[[0-?]*[ -/]*[@-~]|\][^\u0007\u001b]*(?:\u0007|\u001b\\)|[@-Z\\-_])/g, '').replace(/\r/g, '\\r').replace(/\n/g, '\\n').replace(/\t/g, '\\t').replace(/[\u0000-\u001f\u007f-\u009f]/g, '');
