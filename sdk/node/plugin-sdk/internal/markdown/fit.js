// Chunks of a marked text that stay within a limit once they are rendered.
import { chunkMarkdownIR, concatMarkdownIR, sliceMarkdownIR } from './spans.js';

/**
 * Where to split so that nothing is lost: behind a line end, else behind blanks, outside of brackets where there is such a place.
 * Blanks that the split would cut in two go to the next piece.
 */
function splitPoint(text, from, limit) {
  const until = Math.min(text.length, from + limit);
  if (until === text.length) return until;
  const best = { outer: {}, any: {} };
  let [depth, started, run] = [0, false, -1];
  for (let at = from; at < until; at++) {
    const char = text[at];
    if (!/\s/.test(char)) {
      started = true;
      if (char === '(') depth++;
      else if (char === ')' && depth > 0) depth--;
      continue;
    }
    if (!started) continue;
    if (char !== '\n' && (at === from || !/\s/.test(text[at - 1]))) run = at;
    for (const place of depth === 0 ? [best.outer, best.any] : [best.any]) {
      if (char === '\n') place.line = at + 1;
      else Object.assign(place, { blank: at + 1, run });
    }
  }
  for (const { line, blank, run: start } of [best.outer, best.any]) {
    if (line) return line;
    if (blank) return start > from && /\s/.test(text[blank] ?? '') ? start : blank;
  }
  return until;
}

function pieces(ir, limit) {
  const out = [];
  for (let at = 0; at < ir.text.length; ) {
    const end = splitPoint(ir.text, at, limit);
    out.push(sliceMarkdownIR(ir, at, end));
    at = end;
  }
  return out;
}

function split(chunk, fits) {
  let length = chunk.text.length - 1;
  while (length > 0 && !fits(sliceMarkdownIR(chunk, 0, length))) length--;
  if (length === 0) return [chunk];
  const parts = pieces(chunk, length);
  return fits(parts[0]) ? parts : [sliceMarkdownIR(chunk, 0, length), sliceMarkdownIR(chunk, length, chunk.text.length)];
}

/** Adds pieces of blanks to their neighbours, in parts where they do not fit whole; those that fit nowhere are left out. */
function withoutBlanks(chunks, fits) {
  const out = [];
  for (let index = 0; index < chunks.length; index++) {
    const chunk = chunks[index];
    if (chunk.text.trim()) {
      out.push(chunk);
      continue;
    }
    const [before, after] = [out.at(-1), chunks[index + 1]];
    const { length } = chunk.text;
    for (const cut of [length, 0, ...Array.from({ length: length - 1 }, (_, shorter) => length - 1 - shorter)]) {
      const head = cut > 0 ? before && concatMarkdownIR(before, sliceMarkdownIR(chunk, 0, cut)) : before;
      const tail = cut < length ? after && concatMarkdownIR(sliceMarkdownIR(chunk, cut, length), after) : after;
      if ((cut > 0 && !(head && fits(head))) || (cut < length && !(tail && fits(tail)))) continue;
      if (cut > 0) out[out.length - 1] = head;
      if (cut < length) chunks[index + 1] = tail;
      break;
    }
  }
  return out;
}

/**
 * Splits and renders; each piece renders to at most `limit`, unless a single character is longer.
 * @param {{ir: import('./spans.js').MarkdownIR, limit: number, renderChunk: (ir: import('./spans.js').MarkdownIR) => any, measureRendered: (rendered: any) => number}} options
 * @returns {{source: import('./spans.js').MarkdownIR, rendered: any}[]}
 */
export function renderMarkdownIRChunksWithinLimit({ ir, limit: wanted, renderChunk, measureRendered }) {
  if (!ir.text) return [];
  const limit = Math.max(1, Math.floor(wanted));
  const fits = (chunk) => measureRendered(renderChunk(chunk)) <= limit;
  const pending = chunkMarkdownIR(ir, limit).reverse();
  const done = [];
  while (pending.length > 0) {
    const chunk = pending.pop();
    const parts = fits(chunk) || chunk.text.length <= 1 ? [chunk] : split(chunk, fits);
    if (parts.length <= 1) done.push(chunk);
    else pending.push(...parts.reverse());
  }
  return withoutBlanks(done, fits).map((source) => ({ source, rendered: renderChunk(source) }));
}
