// Notes on a terminal, wrapped to its width.
import { isRich, theme } from './terminal.js';

/** The title of a question. @template {string | undefined} T @param {T} title @returns {T | string} */
export const stylePromptTitle = (title) => (title && isRich() ? theme.heading(title) : title);

/** Columns of a terminal that does not say. */
const NARROW = 80;
/** Longest line that is easy to read, and the shortest that lines are cut to. */
const [WIDE, SLIM] = [88, 40];
/** Addresses and paths stay in one piece, so that they can be copied. */
const WHOLE = /^(?:[a-z][a-z0-9+.-]*:\/\/|~?\/|\.{1,2}\/|[A-Za-z]:\\)|[\\/]/i;

function wrapped(line, width) {
  if (!line.trim()) return [line];
  const [, indent, bullet = '', content] = /^(\s*)([-*\u2022]\s+)?(.*)$/.exec(line);
  const hang = indent + ' '.repeat(bullet.length);
  const out = [indent + bullet];
  for (const word of content.split(/\s+/).filter(Boolean)) {
    const line_ = out.at(-1);
    const empty = line_.trim() === '' || line_ === indent + bullet;
    if ((empty ? line_ + word : `${line_} ${word}`).length <= width) out[out.length - 1] = empty ? line_ + word : `${line_} ${word}`;
    else if (empty && (WHOLE.test(word) || word.length <= width)) out[out.length - 1] = line_ + word;
    else out.push(hang + word);
  }
  return out;
}

/**
 * Writes a note to standard output; nothing while `OPENCLAW_SUPPRESS_NOTES` is set.
 * @param {unknown} message @param {string} [title]
 */
export function note(message, title) {
  const quiet = process.env.OPENCLAW_SUPPRESS_NOTES?.trim().toLowerCase();
  if (quiet && !['0', 'false', 'off'].includes(quiet)) return;
  const columns = Math.max(NARROW, process.stdout.columns || 0);
  const text = message instanceof Error ? [message.name, message.message].filter(Boolean).join(': ') : ['string', 'number', 'boolean', 'bigint'].includes(typeof message) ? String(message) : '';
  const lines = text.split('\n').flatMap((line) => wrapped(line, Math.max(SLIM, Math.min(WIDE, columns - 10))));
  process.stdout.write(`${title ? `${stylePromptTitle(title)}\n` : ''}${lines.map((line) => `  ${line}`.trimEnd()).join('\n')}\n`);
}
