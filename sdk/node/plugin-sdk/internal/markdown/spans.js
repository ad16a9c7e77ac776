// Pieces of a marked text: styles and links are ranges over its characters.
import { chunkText } from '../chunk.js';

/** A text with its marks. @typedef {{text: string, styles: {start: number, end: number, style: string, language?: string}[], links: {start: number, end: number, href: string}[]}} MarkdownIR */

const byPlace = (a, b) => a.start - b.start || a.end - b.end || a.style.localeCompare(b.style);

/** Joins ranges of one style that overlap or touch; two quotes that touch stay two. @param {MarkdownIR['styles']} spans */
export function mergeStyles(spans) {
  const merged = [];
  for (const span of [...spans].sort(byPlace)) {
    const last = merged.at(-1);
    const meets = last?.style === span.style && (span.start < last.end || (span.start === last.end && span.style !== 'blockquote'));
    if (meets) last.end = Math.max(last.end, span.end);
    else merged.push({ ...span });
  }
  return merged;
}

const cut = (spans, from, to) =>
  spans.flatMap((span) => {
    const [start, end] = [Math.max(span.start, from), Math.min(span.end, to)];
    return end > start ? [{ ...span, start: start - from, end: end - from }] : [];
  });

/** The part of a marked text from one character to another. @param {MarkdownIR} ir @param {number} start @param {number} end @returns {MarkdownIR} */
export const sliceMarkdownIR = ({ text, styles, links }, start, end) => ({ text: text.slice(start, end), styles: mergeStyles(cut(styles, start, end)), links: cut(links, start, end) });

/** Keeps ranges within a shorter text. @template {{start: number, end: number}} T @param {T[]} spans @param {number} length @returns {T[]} */
export const clampSpans = (spans, length) => cut(spans, 0, length);

/** Splits at line ends and blanks. @param {MarkdownIR} ir @param {number} limit in characters @returns {MarkdownIR[]} */
export function chunkMarkdownIR(ir, limit) {
  if (!ir.text) return [];
  if (limit <= 0 || ir.text.length <= limit) return [ir];
  let at = 0;
  return chunkText(ir.text, limit).filter(Boolean).map((text, index) => {
    while (index > 0 && /\s/.test(ir.text[at] ?? '')) at++;
    const { styles, links } = sliceMarkdownIR(ir, at, Math.min(ir.text.length, at + text.length));
    at = Math.min(ir.text.length, at + text.length);
    return { text, styles, links };
  });
}

const shifted = (spans, by) => spans.map((span) => ({ ...span, start: span.start + by, end: span.end + by }));
/** Joins neighbours that touch and say the same. */
function joined(spans, same) {
  const out = [];
  for (const span of spans) {
    const last = out.at(-1);
    if (last && same(last, span) && span.start <= last.end) last.end = Math.max(last.end, span.end);
    else out.push({ ...span });
  }
  return out;
}
/** One marked text after another. @param {MarkdownIR} left @param {MarkdownIR} right @returns {MarkdownIR} */
export const concatMarkdownIR = (left, right) => ({
  text: left.text + right.text,
  styles: joined([...left.styles, ...shifted(right.styles, left.text.length)], (a, b) => a.style === b.style),
  links: joined([...left.links, ...shifted(right.links, left.text.length)], (a, b) => a.href === b.href),
});
