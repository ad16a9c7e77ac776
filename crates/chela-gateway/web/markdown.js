// Markdown for answers. Everything becomes elements and text nodes; nothing is ever parsed as HTML.

import { copy, h } from './ui.js';

const FENCE = /^(\s*)(`{3,}|~{3,})\s*([^\s`]*)[^`]*$/;
const HEADING = /^(#{1,6})\s+(.*?)\s*#*$/;
const RULE = /^ {0,3}([-*_])(?:\s*\1){2,}\s*$/;
const ITEM = /^(\s*)([-*+]|\d{1,9}[.)])\s+(.*)$/;
const QUOTE = /^ {0,3}>\s?/;
// Longer runs of text stay plain: the patterns below may need the square of it.
const MAX_INLINE = 10_000;
const TABLE_RULE = /^\s*\|?\s*:?-+:?\s*(\|\s*:?-+:?\s*)*\|?\s*$/;

/**
 * Shows `text` in `element`. Blocks that did not change since the last call keep their elements, so that a growing
 * answer costs its last block only.
 */
export function renderMarkdown(element, text) {
  const blocks = splitBlocks(text.replaceAll('\r\n', '\n').split('\n'));
  const old = element.blocks ?? [];
  let same = 0;
  while (same < old.length && same < blocks.length && old[same] === blocks[same].source) same += 1;
  while (element.childNodes.length > same) element.lastChild.remove();
  for (const block of blocks.slice(same)) element.append(block.build());
  element.blocks = blocks.map((block) => block.source);
}

function splitBlocks(lines) {
  const blocks = [];
  let at = 0;
  while (at < lines.length) {
    if (!lines[at].trim()) {
      at += 1;
      continue;
    }
    const [end, build] = blockAt(lines, at);
    const part = lines.slice(at, end);
    blocks.push({ source: part.join('\n'), build: () => build(part) });
    at = end;
  }
  return blocks;
}

function blockAt(lines, at) {
  const line = lines[at];
  if (FENCE.test(line)) return [fenceEnd(lines, at), buildCode];
  if (HEADING.test(line)) return [at + 1, buildHeading];
  if (RULE.test(line)) return [at + 1, () => h('hr')];
  if (QUOTE.test(line)) return [runEnd(lines, at, (l) => QUOTE.test(l)), buildQuote];
  if (ITEM.test(line)) return [listEnd(lines, at), buildList];
  if (isTable(lines, at)) return [runEnd(lines, at, (l) => l.includes('|')), buildTable];
  return [paragraphEnd(lines, at), buildParagraph];
}

function runEnd(lines, at, belongs) {
  let end = at + 1;
  while (end < lines.length && belongs(lines[end])) end += 1;
  return end;
}

function fenceEnd(lines, at) {
  const [, , mark] = FENCE.exec(lines[at]);
  const closes = (line) => line.trim().startsWith(mark) && !line.trim().slice(mark.length).replaceAll(mark[0], '');
  let end = at + 1;
  while (end < lines.length && !closes(lines[end])) end += 1;
  return Math.min(end + 1, lines.length);
}

// A list goes on over indented lines, and over a blank line when an item or an indented line follows.
function listEnd(lines, at) {
  const kind = (line) => { const [, indent, mark] = ITEM.exec(line); return indent.length > 1 ? '' : mark.at(-1); };
  const other = (line) => ITEM.test(line) && kind(line) && kind(lines[at]) !== kind(line);
  let end = at + 1;
  while (end < lines.length) {
    const line = lines[end];
    if (other(line) || (!line.trim() && other(lines[end + 1] ?? ''))) break;
    if (ITEM.test(line) || /^\s{2,}\S/.test(line)) end += 1;
    else if (!line.trim() && (ITEM.test(lines[end + 1] ?? '') || /^\s{2,}\S/.test(lines[end + 1] ?? ''))) end += 1;
    else if (line.trim() && lines[end - 1].trim() && !startsBlock(lines, end)) end += 1;
    else break;
  }
  return end;
}

function startsBlock(lines, at) {
  const line = lines[at];
  return FENCE.test(line) || HEADING.test(line) || RULE.test(line) || QUOTE.test(line) || ITEM.test(line) || isTable(lines, at);
}

function paragraphEnd(lines, at) {
  let end = at + 1;
  while (end < lines.length && lines[end].trim() && !startsBlock(lines, end)) end += 1;
  return end;
}

function isTable(lines, at) {
  return lines[at].includes('|') && TABLE_RULE.test(lines[at + 1] ?? '') && (lines[at + 1] ?? '').includes('-');
}

function buildCode(lines) {
  const [, indent, mark, language] = FENCE.exec(lines[0]);
  const last = lines.at(-1).trim();
  const closed = lines.length > 1 && last.startsWith(mark) && !last.replaceAll(mark[0], '');
  const strip = new RegExp(`^\\s{0,${indent.length}}`);
  const code = lines.slice(1, closed ? -1 : undefined).map((line) => line.replace(strip, '')).join('\n');
  return codeBlock(code, language);
}

/** A block of code with a copy button. */
export function codeBlock(code, language = '') {
  return h('figure.code',
    h('figcaption', h('span', language),
      h('button.quiet', { onclick: (event) => copy(code, event.currentTarget) }, 'Copy')),
    h('pre', { tabindex: '0' }, h('code', code)));
}

function buildHeading(lines) {
  const [, marks, text] = HEADING.exec(lines[0]);
  return h(`h${Math.min(6, marks.length + 1)}`, {}, inline(text));
}

function buildQuote(lines) {
  const quote = h('blockquote');
  renderMarkdown(quote, lines.map((line) => line.replace(QUOTE, '')).join('\n'));
  return quote;
}

function buildList(lines) {
  const [, indent, marker] = ITEM.exec(lines[0]);
  const ordered = /\d/.test(marker);
  const start = ordered ? Number.parseInt(marker, 10) : 1;
  const list = h(ordered ? 'ol' : 'ul', { start: start === 1 ? null : start });
  let item = [];
  const flush = () => {
    if (item.length) list.append(buildItem(item));
    item = [];
  };
  for (const line of lines) {
    const match = ITEM.exec(line);
    if (match && match[1].length < indent.length + 2) {
      flush();
      item = [match[3]];
    } else {
      item.push(line.replace(/^\s{1,4}/, ''));
    }
  }
  flush();
  return list;
}

function buildItem(lines) {
  const item = h('li');
  const task = /^\[([ xX])\]\s+/.exec(lines[0]);
  if (task) lines[0] = lines[0].slice(task[0].length);
  renderMarkdown(item, lines.join('\n'));
  const only = item.children.length > 0 && item.firstElementChild;
  if (only && only.tagName === 'P') only.replaceWith(...only.childNodes); // tight items have no paragraph
  if (task) {
    item.className = 'task';
    item.prepend(task[1] === ' ' ? '☐ ' : '☑ ');
  }
  return item;
}

function cells(line) {
  const inner = line.trim().replace(/^\|/, '').replace(/\|$/, '');
  return inner.split(/(?<!\\)\|/).map((cell) => cell.trim().replaceAll('\\|', '|'));
}

function buildTable(lines) {
  const row = (tag) => (line) => h('tr', cells(line).map((cell) => h(tag, {}, inline(cell))));
  return h('div.table', { tabindex: '0' },
    h('table', h('thead', row('th')(lines[0])), h('tbody', lines.slice(2).map(row('td')))));
}

function buildParagraph(lines) {
  const nodes = [];
  lines.forEach((line, index) => {
    if (index) nodes.push(h('br'));
    nodes.push(...inline(line.trimStart()));
  });
  return h('p', nodes);
}

// In order of precedence; each pattern is tried at every place of the text.
const SPANS = [
  { pattern: /(`+)(.+?)(?<!`)\1(?!`)/g, build: (m) => h('code', m[2].replace(/^ (.+) $/, '$1')) },
  { pattern: /\\([\\`*_{}[\]()#+\-.!|~<>])/g, build: (m) => m[1] },
  { pattern: /!?\[((?:[^[\]]|\[[^\]]*\])*)\]\(<?((?:[^\s()<>]|\([^\s()]*\))+)>?(?:\s+"[^"]*")?\)/g, build: (m) => link(m[2], inline(m[1] || m[2])) },
  { pattern: /<(https?:\/\/[^\s>]+|mailto:[^\s>]+)>/g, build: (m) => link(m[1], [m[1]]) },
  { pattern: /(?<![\w/])https?:\/\/[^\s<>"'`]*[^\s<>"'`.,;:!?)\]}*_]/g, build: (m) => link(m[0], [m[0]]) },
  { pattern: /\*\*(?=\S)(.+?)(?<=\S)\*\*/g, build: (m) => h('strong', inline(m[1])) },
  { pattern: /(?<!\w)__(?=\S)(.+?)(?<=\S)__(?!\w)/g, build: (m) => h('strong', inline(m[1])) },
  { pattern: /~~(?=\S)(.+?)(?<=\S)~~/g, build: (m) => h('del', inline(m[1])) },
  { pattern: /\*(?=[^\s*])(.+?)(?<=[^\s*])\*(?!\*)/g, build: (m) => h('em', inline(m[1])) },
  { pattern: /(?<!\w)_(?=[^\s_])(.+?)(?<=[^\s_])_(?!\w)/g, build: (m) => h('em', inline(m[1])) },
];

function inline(text) {
  if (text.length > MAX_INLINE) return [text];
  const nodes = [];
  const next = SPANS.map(() => undefined);
  let at = 0;
  for (;;) {
    let best = -1;
    SPANS.forEach(({ pattern }, index) => {
      if (next[index] === undefined || next[index]?.index < at) {
        pattern.lastIndex = at;
        next[index] = pattern.exec(text);
      }
      if (next[index] && (best < 0 || next[index].index < next[best].index)) best = index;
    });
    if (best < 0) break;
    const match = next[best];
    if (match.index > at) nodes.push(text.slice(at, match.index));
    at = match.index + match[0].length;
    nodes.push(SPANS[best].build(match));
  }
  if (at < text.length) nodes.push(text.slice(at));
  return nodes;
}

// Only addresses that open something in the browser become links; `javascript:` and the like stay text.
function link(address, children) {
  if (!/^(https?:|mailto:)/i.test(address)) return h('span', children, ` (${address})`);
  return h('a', { href: address, target: '_blank', rel: 'noopener noreferrer' }, children);
}
