// Markdown tables for channels that cannot show them.
import { normalizeAccountId, resolveAccountEntry } from './accounts.js';
import { normalizeOptionalLowercaseString } from './strings.js';
import { markdownToIRWithMeta } from './markdown/parse.js';
import { renderMarkdownWithMarkers } from './markdown/render.js';

const MODES = ['off', 'bullets', 'code', 'block'];

/** How a channel shows tables: its account's setting, its own, else as code. */
export function resolveMarkdownTableMode({ cfg, channel: rawChannel, accountId }) {
  const channel = normalizeOptionalLowercaseString(rawChannel);
  const section = channel ? (cfg?.channels?.[channel] ?? cfg?.[channel]) : undefined;
  const own = resolveAccountEntry(section?.accounts, normalizeAccountId(accountId))?.markdown?.tables;
  const mode = [own, section?.markdown?.tables].find((value) => MODES.includes(value)) ?? 'code';
  return mode === 'block' ? 'code' : mode;
}

const MARKS = { bold: ['**', '**'], italic: ['_', '_'], strikethrough: ['~~', '~~'], code: ['`', '`'], code_block: ['```\n', '```'] };
const styleMarkers = Object.fromEntries(Object.entries(MARKS).map(([style, [open, close]]) => [style, { open, close }]));
const buildLink = ({ start, end, href }, text) => (text.slice(start, end) ? { start, end, open: '[', close: `](${href})` } : null);

/**
 * Replaces the tables of a Markdown text by a code block or by bullets; a text without tables stays as it is.
 * @param {string} markdown
 * @param {'off' | 'bullets' | 'code' | 'block'} mode
 * @returns {string}
 */
export function convertMarkdownTables(markdown, mode) {
  // Only a text with a divider can hold a table: the parser is not loaded for others.
  if (!markdown || mode === 'off' || !/\|.*\n.*-|-.*\|/.test(markdown)) return markdown;
  const { ir, hasTables } = markdownToIRWithMeta(markdown, { linkify: false, autolink: false, tableMode: mode === 'block' ? 'code' : mode });
  return hasTables ? renderMarkdownWithMarkers(ir, { styleMarkers, escapeText: (text) => text, buildLink }) : markdown;
}
