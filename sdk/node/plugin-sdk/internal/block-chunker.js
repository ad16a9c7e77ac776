// Pieces of an answer that is still being written.
import { fencesOf } from './chunk.js';

const blank = (text) => text.trim().length === 0;
const skipLines = (text, at) => at + /^\n*/.exec(text.slice(at))[0].length;
const wholeFrom = (least, value) => Math.max(least, Math.floor(value));

/** Where a text may be cut: places outside of code. */
class Places {
  #fences;
  #offset;
  constructor(fences, offset) {
    this.#fences = fences;
    this.#offset = offset;
  }
  fence(at) {
    return this.#fences.find(({ start, end }) => at + this.#offset > start && at + this.#offset < end);
  }
  /** Where code ends, as seen from here. */
  endOf({ end }) {
    return Math.max(0, end - this.#offset);
  }
  safe(at) {
    return !this.fence(at);
  }
  /** The first such place, or with `last` the last one, behind `least` characters. */
  paragraph(text, least, last) {
    const gaps = [...text.matchAll(/(?=\n\n)/g)].map(({ index }) => index);
    const tries = last ? gaps.reverse().filter((at) => at >= least) : gaps.filter((at, index) => index === 0 || at - gaps[index - 1] >= 1);
    for (const gap of tries) for (const at of [gap, gap + 1]) if (at >= least && at < text.length && this.safe(at)) return at;
    return -1;
  }
  line(text, least, last) {
    const ends = [...text.matchAll(/\n/g)].map(({ index }) => index).filter((at) => at >= least && this.safe(at));
    return (last ? ends.at(-1) : ends[0]) ?? -1;
  }
  /** The last end of a sentence. */
  sentence(text, least) {
    return [...text.matchAll(/[.!?](?=\s|$)/g)].filter(({ index }) => index >= least).map(({ index }) => index + 1).filter((at) => this.safe(at)).at(-1) ?? -1;
  }
  space(text, least) {
    for (let at = text.length - 1; at >= least; at--) if (/\s/.test(text[at]) && this.safe(at)) return at;
    return -1;
  }
}

/**
 * Collects text and gives it out in pieces of `minChars` to `maxChars` characters, cut at paragraphs, lines or sentences.
 * Code that is cut is closed, and opened again in the next piece.
 */
export class EmbeddedBlockChunker {
  #buffer = '';
  #options;

  /** @param {{minChars: number, maxChars: number, breakPreference?: 'paragraph' | 'newline' | 'sentence', flushOnParagraph?: boolean}} options */
  constructor(options) {
    this.#options = options;
  }
  /** @param {string} text */
  append(text) {
    if (text) this.#buffer += text;
  }
  reset() {
    this.#buffer = '';
  }
  get bufferedText() {
    return this.#buffer;
  }
  hasBuffered() {
    return this.#buffer.length > 0;
  }

  /** Gives out what is ready; with `force` everything. @param {{force: boolean, emit: (chunk: string) => void}} params */
  drain({ force, emit }) {
    const min = wholeFrom(1, this.#options.minChars);
    const max = wholeFrom(min, this.#options.maxChars);
    const source = this.#buffer;
    if (source.length < min && !force) return;
    if (force && source.length <= max) {
      if (!blank(source)) emit(source);
      this.#buffer = '';
      return;
    }
    const fences = fencesOf(source);
    let [start, open] = [0, undefined];
    while (start < source.length) {
      const prefix = open ? `${open.openLine}\n` : '';
      const left = prefix.length + source.length - start;
      if (!force && left < min) break;
      if (this.#options.flushOnParagraph && !force) {
        const gap = this.#paragraphEnd(source, fences, start, min);
        if (gap && gap.index - start <= Math.max(1, max - prefix.length)) {
          const piece = `${prefix}${source.slice(start, gap.index)}`;
          if (!blank(piece)) emit(piece);
          start = skipLines(source, gap.index + gap[0].length);
          open = undefined;
          continue;
        }
        if (left < max) break;
      }
      const places = new Places(fences, start);
      const view = source.slice(start);
      const cut = force && left <= max ? { at: this.#soft(view, places) } : this.#hard(view, places, force ? 1 : min);
      if (cut.at <= 0) {
        if (force) {
          emit(prefix + view);
          start = source.length;
          open = undefined;
        }
        break;
      }
      ({ start, open } = this.#emit(source, start, cut, prefix, emit));
      const next = (open ? open.openLine.length + 1 : 0) + source.length - start;
      if (!force && (next < min || (next < max && !this.#options.flushOnParagraph))) break;
    }
    this.#buffer = open ? `${open.openLine}\n${source.slice(start)}` : source.slice(skipLines(source, start));
  }

  #paragraphEnd(source, fences, start, min) {
    const places = new Places(fences, 0);
    const pattern = /\n[\t ]*\n+/g;
    pattern.lastIndex = start;
    for (let gap = pattern.exec(source); gap; gap = pattern.exec(source)) if (gap.index - start >= min && places.safe(gap.index)) return gap;
    return undefined;
  }
  #emit(source, start, { at, fence }, prefix, emit) {
    const end = start + at;
    const piece = `${prefix}${source.slice(start, end)}`;
    if (blank(piece)) return { start: skipLines(source, end), open: undefined };
    emit(fence ? `${piece}${piece.endsWith('\n') ? '' : '\n'}${fence.indent}${fence.marker}\n` : piece);
    if (fence) return { start: end, open: fence };
    return { start: skipLines(source, /\s/.test(source[end] ?? '') ? end + 1 : end), open: undefined };
  }
  /** The ways to cut that the settings prefer, the best first. */
  #ways(text, places, least, last) {
    const preference = this.#options.breakPreference ?? 'paragraph';
    return [
      preference === 'paragraph' && (() => places.paragraph(text, least, last)), preference !== 'sentence' && (() => places.line(text, least, last)),
      preference !== 'newline' && (() => places.sentence(text, least)),
    ].filter(Boolean);
  }
  #soft(text, places) {
    for (const way of this.#ways(text, places, 1, false)) if (way() !== -1) return way();
    return -1;
  }
  #hard(text, places, least) {
    const max = wholeFrom(least, this.#options.maxChars);
    if (text.length < least) return { at: -1 };
    const window = text.slice(0, max);
    for (const way of this.#ways(window, places, least, true)) if (way() !== -1) return { at: way() };
    if (this.#options.breakPreference === 'newline' && text.length < max) return { at: -1 };
    const space = places.space(window, least);
    if (space !== -1) return { at: space };
    if (text.length < max) return { at: -1 };
    const fence = places.fence(max);
    if (!fence) return { at: max };
    // Before the line that closes the code, where it is in reach: nothing but that line would follow.
    const closing = text.lastIndexOf('\n', Math.min(text.length, places.endOf(fence)) - 1) + 1;
    return { at: closing > 0 && closing >= least && closing < max ? closing : max, fence };
  }
}
