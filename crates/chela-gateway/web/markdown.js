// Markdown for answers. Everything becomes elements and text nodes; nothing is ever parsed as HTML.

import { copyButton, h } from './ui.js';

const FENCE = /^(\s*)(`{3,}|~{3,})\s*([^\s`]*)[^`]*$/;
const HEADING = /^(#{1,6})\s+(.*?)\s*#*$/;
const RULE = /^ {0,3}([-*_])(?:\s*\1){2,}\s*$/;
const ITEM = /^(\s*)([-*+]|\d{1,9}[.)])\s+(.*)$/;
const QUOTE = /^ {0,3}>\s?/;
const TABLE_RULE = /^\s*\|?\s*:?-+:?\s*(\|\s*:?-+:?\s*)*\|?\s*$/;
const INDENTED = /^\s{2,}\S/;
// Longer runs of text stay plain: the patterns below may need the square of it.
const MAX_INLINE = 10_000;

/**
 * Shows `text` in `element`. Blocks that did not change since the last call keep their elements, so that a growing
 * answer costs its last block only.
 */
export function renderMarkdown(element, text) {
  const blocks = splitBlocks(text.replaceAll('\r\n', '\n').split('\n'));
  const old = element.blocks ?? [];
  let same = 0;
  while (same < old.length && old[same] === blocks[same]?.source) same += 1;
  while (element.childNodes.length > same) element.lastChild.remove();
  element.append(...blocks.slice(same).map((block) => block.build()));
  element.blocks = blocks.map((block) => block.source);
}

function splitBlocks(lines) {
  const blocks = [];
  for (let at = 0; at < lines.length;) {
    if (lines[at].trim()) {
      const [end, build] = blockAt(lines, at);
      const part = lines.slice(at, end);
      blocks.push({ source: part.join('\n'), build: () => build(part) });
      at = end;
    } else {
      at += 1;
    }
  }
  return blocks;
}

// End and builder of the block that begins at a line.
function blockAt(lines, at) {
  const line = lines[at];
  if (FENCE.test(line)) return [fenceEnd(lines, at), buildCode];
  if (HEADING.test(line)) return [at + 1, buildHeading];
  if (RULE.test(line)) return [at + 1, () => h('hr')];
  if (QUOTE.test(line)) return [runEnd(lines, at, (l) => QUOTE.test(l)), buildQuote];
  if (ITEM.test(line)) return [listEnd(lines, at), buildList];
  if (isTable(lines, at)) return [runEnd(lines, at, (l) => l.includes('|')), buildTable];
  return [runEnd(lines, at, (l, end) => l.trim() && !startsBlock(lines, end)), buildParagraph];
}

function runEnd(lines, at, belongs) {
  let end = at + 1;
  while (end < lines.length && belongs(lines[end], end)) end += 1;
  return end;
}

const isTable = (lines, at) => lines[at].includes('|') && TABLE_RULE.test(lines[at + 1] ?? '');
const startsBlock = (lines, at) => [FENCE, HEADING, RULE, QUOTE, ITEM].some((start) => start.test(lines[at])) || isTable(lines, at);
const closes = (line, mark) => line.trim().startsWith(mark) && !line.trim().replaceAll(mark[0], '');

function fenceEnd(lines, at) {
  const [, , mark] = FENCE.exec(lines[at]);
  return Math.min(runEnd(lines, at, (line) => !closes(line, mark)) + 1, lines.length);
}

// A list goes on over indented lines, and over a blank line when an item of its kind or an indented line follows.
function listEnd(lines, at) {
  const kind = ITEM.exec(lines[at])[2].at(-1);
  return runEnd(lines, at, (line, end) => {
    const next = line.trim() ? line : lines[end + 1] ?? '';
    if (INDENTED.test(next)) return true;
    const item = ITEM.exec(next);
    if (item) return item[2].at(-1) === kind;
    return line.trim() && lines[end - 1].trim() && !startsBlock(lines, end);
  });
}

function buildCode(lines) {
  const [, indent, mark, language] = FENCE.exec(lines[0]);
  const body = lines.slice(1, lines.length > 1 && closes(lines.at(-1), mark) ? -1 : undefined);
  return codeBlock(body.map((line) => line.replace(new RegExp(`^\\s{0,${indent.length}}`), '')).join('\n'), language);
}

/** A block of code with a copy button. */
export function codeBlock(code, language = '') {
  return h('figure.code', h('figcaption', h('span', language), copyButton(code)), h('pre', { tabindex: 0 }, h('code', code)));
}

function buildHeading([line]) {
  const [, marks, text] = HEADING.exec(line);
  return h(`h${Math.min(6, marks.length + 1)}`, inline(text));
}

function buildQuote(lines) {
  const quote = h('blockquote');
  renderMarkdown(quote, lines.map((line) => line.replace(QUOTE, '')).join('\n'));
  return quote;
}

function buildList(lines) {
  const [, indent, marker] = ITEM.exec(lines[0]);
  const number = Number.parseInt(marker, 10);
  const items = [];
  for (const line of lines) {
    const match = ITEM.exec(line);
    if (match && match[1].length < indent.length + 2) items.push([match[3]]);
    else items.at(-1).push(line.replace(/^\s{1,4}/, ''));
  }
  return h(Number.isNaN(number) ? 'ul' : 'ol', { start: number > 1 ? number : null }, items.map(buildItem));
}

function buildItem(lines) {
  const item = h('li');
  const source = lines.join('\n').replace(/^\[[xX]\] /, '☑ ').replace(/^\[ \] /, '☐ ');
  renderMarkdown(item, source);
  const first = item.firstElementChild;
  if (first?.tagName === 'P') first.replaceWith(...first.childNodes); // a tight item has no paragraph
  return item;
}

function buildTable(lines) {
  const cells = (line) => line.trim().replace(/^\||\|$/g, '').split(/(?<!\\)\|/).map((cell) => inline(cell.trim().replaceAll('\\|', '|')));
  const row = (tag) => (line) => h('tr', cells(line).map((cell) => h(tag, cell)));
  return h('div.table', { tabindex: 0 }, h('table', h('thead', row('th')(lines[0])), h('tbody', lines.slice(2).map(row('td')))));
}

function buildParagraph(lines) {
  return h('p', lines.flatMap((line, index) => [index > 0 && h('br'), ...inline(line.trimStart())]));
}

// The earliest match wins, and among equals the first pattern.
const SPANS = [
  [/(`+)(.+?)(?<!`)\1(?!`)/g, (m) => h('code', m[2].replace(/^ (.+) $/, '$1'))],
  [/\\([\\`*_{}[\]()#+\-.!|~<>])/g, (m) => m[1]],
  [/!?\[((?:[^[\]]|\[[^\]]*\])*)\]\(<?((?:[^\s()<>]|\([^\s()]*\))+)>?(?:\s+"[^"]*")?\)/g, (m) => link(m[2], inline(m[1] || m[2]))],
  [/<(https?:\/\/[^\s>]+)>/g, (m) => link(m[1], m[1])],
  [/(?<![\w/])https?:\/\/[^\s<>"'`]*[^\s<>"'`.,;:!?)\]}*_]/g, (m) => link(m[0], m[0])],
  [/\*\*(?=\S)(.+?)(?<=\S)\*\*/g, (m) => h('strong', inline(m[1]))],
  [/(?<!\w)__(?=\S)(.+?)(?<=\S)__(?!\w)/g, (m) => h('strong', inline(m[1]))],
  [/~~(?=\S)(.+?)(?<=\S)~~/g, (m) => h('del', inline(m[1]))],
  [/\*(?=[^\s*])(.+?)(?<=[^\s*])\*(?!\*)/g, (m) => h('em', inline(m[1]))],
  [/(?<!\w)_(?=[^\s_])(.+?)(?<=[^\s_])_(?!\w)/g, (m) => h('em', inline(m[1]))],
];

function inline(text) {
  if (text.length > MAX_INLINE) return [text];
  const nodes = [];
  const next = SPANS.map(() => undefined);
  let at = 0;
  for (;;) {
    let best = -1;
    SPANS.forEach(([pattern], index) => {
      if (next[index] === undefined || next[index]?.index < at) {
        pattern.lastIndex = at;
        next[index] = pattern.exec(text);
      }
      if (next[index] && (best < 0 || next[index].index < next[best].index)) best = index;
    });
    const match = next[best];
    nodes.push(text.slice(at, match?.index));
    if (!match) return nodes;
    at = match.index + match[0].length;
    nodes.push(SPANS[best][1](match));
  }
}

// Only addresses that open something in the browser become links; `javascript:` and the like stay text.
function link(href, children) {
  if (!/^(https?:|mailto:)/i.test(href)) return h('span', children, ` (${href})`);
  return h('a', { href, target: '_blank', rel: 'noopener noreferrer' }, children);
}
