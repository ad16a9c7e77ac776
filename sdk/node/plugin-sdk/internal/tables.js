// Markdown tables for channels that cannot show them.
import { normalizeAccountId, resolveAccountEntry } from './accounts.js';
import { normalizeOptionalLowercaseString } from './strings.js';
import { fencesOf } from './chunk.js';

const MODES = ['off', 'bullets', 'code', 'block'];

/** How a channel shows tables: its account's setting, its own, else as code. */
export function resolveMarkdownTableMode({ cfg, channel: rawChannel, accountId }) {
  const channel = normalizeOptionalLowercaseString(rawChannel);
  const section = channel ? (cfg?.channels?.[channel] ?? cfg?.[channel]) : undefined;
  const own = resolveAccountEntry(section?.accounts, normalizeAccountId(accountId))?.markdown?.tables;
  const mode = [own, section?.markdown?.tables].find((value) => MODES.includes(value)) ?? 'code';
  return mode === 'block' ? 'code' : mode;
}

const cellsOf = (line) => line.trim().replace(/^\||\|$/g, '').split(/(?<!\\)\|/).map((cell) => cell.trim().replace(/\\\|/g, '|'));
const isDivider = (line) => line !== undefined && line.includes('-') && /^\s*\|?\s*:?-+:?\s*(?:\|\s*:?-+:?\s*)*\|?\s*$/.test(line) && line.includes('|');

/** Replaces the tables of a Markdown text by a code block or by bullets. */
export function convertMarkdownTables(markdown, mode) {
  if (!markdown || mode === 'off') return markdown;
  const fences = fencesOf(markdown);
  const lines = markdown.split('\n');
  const out = [];
  let at = 0;
  for (let i = 0; i < lines.length; i++) {
    const inFence = fences.some((fence) => at >= fence.start && at <= fence.end);
    if (inFence || !lines[i].includes('|') || !isDivider(lines[i + 1]) || cellsOf(lines[i]).length !== cellsOf(lines[i + 1]).length) {
      out.push(lines[i]);
      at += lines[i].length + 1;
      continue;
    }
    const headers = cellsOf(lines[i]);
    const rows = [];
    at += lines[i].length + lines[i + 1].length + 2;
    for (i += 2; i < lines.length && lines[i].trim() && lines[i].includes('|'); i++) {
      rows.push(headers.map((_, column) => cellsOf(lines[i])[column] ?? ''));
      at += lines[i].length + 1;
    }
    i--;
    out.push(...(mode === 'bullets' ? asBullets(headers, rows) : asCode(headers, rows)));
  }
  return out.join('\n');
}

function asCode(headers, rows) {
  const widths = headers.map((header, column) => Math.max(header.length, ...rows.map((row) => row[column].length)));
  const line = (cells) => `|${cells.map((cell, column) => ` ${cell.padEnd(widths[column])} |`).join('')}`;
  const divider = `|${widths.map((width) => ` ${'-'.repeat(Math.max(3, width))} |`).join('')}`;
  return ['```', line(headers), divider, ...rows.map(line), '```'];
}

function asBullets(headers, rows) {
  const labelled = headers.length > 1;
  return rows.flatMap((row) => [
    ...(labelled && row[0] ? [`**${row[0]}**`] : []),
    ...row.slice(labelled ? 1 : 0).flatMap((value, index) => bullet(headers[index + (labelled ? 1 : 0)], value)),
    '',
  ]);
}

const bullet = (header, value) => (value ? [header ? `• ${header}: ${value}` : `• ${value}`] : []);
