// Markdown as a text with marks: what is written stays, what it means is in ranges beside it.
import { createRequire } from 'node:module';
import { clampSpans, mergeStyles } from './spans.js';

const parsers = new Map();
/** One parser for each set of options: making one costs more than a short text. */
function parserFor({ linkify = true, tableMode, autolink }) {
  const tables = Boolean(tableMode && tableMode !== 'off');
  const key = `${linkify}${tables}${autolink !== false}`;
  if (!parsers.has(key)) {
    const { MarkdownIt } = createRequire(import.meta.url)('../../../vendor/markdown-it.js');
    const parser = new MarkdownIt({ html: false, linkify, breaks: false, typographer: false }).enable('strikethrough');
    if (!tables) parser.disable('table');
    if (autolink === false) parser.disable('autolink');
    parsers.set(key, parser);
  }
  return parsers.get(key);
}

/** Marks `||` pairs in the texts of a line; one without a partner stays a text. */
function withSpoilers(tokens) {
  const count = tokens.reduce((sum, { type, content }) => sum + (type === 'text' ? content.split('||').length - 1 : 0), 0);
  let left = count - (count % 2);
  if (left === 0) return tokens;
  let open = false;
  return tokens.flatMap((token) => {
    if (token.type !== 'text' || !token.content.includes('||')) return [token];
    const parts = [];
    let rest = token.content;
    for (let at = rest.indexOf('||'); at >= 0 && left > 0; at = rest.indexOf('||')) {
      if (at > 0) parts.push({ type: 'text', content: rest.slice(0, at) });
      open = !open;
      left--;
      parts.push({ type: open ? 'spoiler_open' : 'spoiler_close' });
      rest = rest.slice(at + 2);
    }
    return rest ? [...parts, { type: 'text', content: rest }] : parts;
  });
}

const INLINE = { em: 'italic', strong: 'bold', s: 'strikethrough' };

/** A text that grows, with its marks. A cell of a table has its own. */
class Sheet {
  text = '';
  styles = [];
  links = [];
  #open = [];
  #links = [];

  mark(style, start, end = this.text.length) {
    if (end > start) this.styles.push({ start, end, style });
  }
  open(style) {
    this.#open.push({ style, start: this.text.length });
  }
  close(style, end) {
    const at = this.#open.findLastIndex((open) => open.style === style);
    if (at >= 0) this.mark(style, this.#open.splice(at, 1)[0].start, end);
  }
  closeAll() {
    for (const { style, start } of this.#open.splice(0).reverse()) this.mark(style, start);
  }
  openLink(href) {
    this.#links.push({ href, start: this.text.length });
  }
  closeLink() {
    const { href, start } = this.#links.pop() ?? {};
    if (href?.trim()) this.links.push({ start, end: this.text.length, href: href.trim() });
  }
  code(text, style, language) {
    const start = this.text.length;
    this.text += text;
    this.styles.push({ start, end: this.text.length, style, ...(language ? { language } : {}) });
  }
  /** Adds another sheet's text with its marks. */
  append({ text, styles, links }) {
    if (!text) return;
    const by = this.text.length;
    const moved = (spans) => spans.map((span) => ({ ...span, start: span.start + by, end: span.end + by }));
    this.text += text;
    this.styles.push(...moved(styles));
    this.links.push(...moved(links));
  }
}

/** A cell without blanks around it. */
function trimmed({ text, styles, links }) {
  const lead = text.length - text.trimStart().length;
  const inner = text.trim();
  if (inner.length === text.length) return { text, styles, links };
  const kept = (spans) => clampSpans(spans.map((span) => ({ ...span, start: Math.max(0, span.start - lead), end: span.end - lead })), inner.length);
  return { text: inner, styles: kept(styles), links: kept(links) };
}

class Writer {
  sheet = new Sheet();
  hasTables = false;
  tables = [];
  #lists = [];
  #table;
  #options;

  constructor(options) {
    this.#options = options;
  }

  get #target() {
    return this.#table?.cell ?? this.sheet;
  }

  write(tokens) {
    for (const token of tokens) this.#one(token);
  }

  #one(token) {
    const [, kind, edge] = /^(em|strong|s)_(open|close)$/.exec(token.type) ?? [];
    if (kind) return this.#target[edge](INLINE[kind]);
    const step = STEPS[token.type];
    if (step) return step(this, token);
    if (token.children) this.write(token.type === 'inline' && this.#options.enableSpoilers ? withSpoilers(token.children) : token.children);
  }

  say(text) {
    this.#target.text += text ?? '';
  }
  edge(name, ...args) {
    this.#target[name](...args);
  }
  headingEdge(name) {
    if (this.#options.headingStyle === 'bold') this.#target[name]('bold');
  }
  /** An empty line after a paragraph; in a list only after those that are its items' own and loose. */
  gap(token) {
    if (this.#table) return;
    const list = this.#lists.at(-1);
    if (list && (token?.type !== 'paragraph_close' || token.hidden || token.level !== list.level + 2)) return;
    this.sheet.text += '\n\n';
  }
  quote() {
    this.sheet.text += this.#options.blockquotePrefix ?? '';
    this.#target.open('blockquote');
  }
  unquote() {
    const { text } = this.#target;
    this.#target.close('blockquote', text.endsWith('\n\n') ? text.length - 2 : text.length);
  }
  openList(token, ordered) {
    if (this.#lists.length > 0) this.#endLine();
    this.#lists.push({ ordered, index: ordered ? Number(token.attrGet?.('start') ?? '1') - 1 : 0, level: token.level ?? 0 });
  }
  closeList() {
    this.#lists.pop();
    if (this.#lists.length === 0 && !this.sheet.text.endsWith('\n\n')) this.sheet.text += '\n';
  }
  item() {
    const list = this.#lists.at(-1);
    if (!list) return;
    list.index++;
    this.sheet.text += `${'  '.repeat(this.#lists.length - 1)}${list.ordered ? `${list.index}. ` : '• '}`;
  }
  #endLine() {
    if (!this.sheet.text.endsWith('\n')) this.sheet.text += '\n';
  }
  endItem() {
    this.#endLine();
  }
  block({ content = '', info }) {
    this.#target.code(content.endsWith('\n') ? content : `${content}\n`, 'code_block', info?.trim().split(/\s+/)[0]);
    if (this.#lists.length === 0) this.#target.text += '\n';
  }

  openTable() {
    if ((this.#options.tableMode ?? 'off') === 'off') return;
    this.#table = { headers: [], rows: [], row: [], head: false };
    this.hasTables = true;
  }
  head(value) {
    if (this.#table) this.#table.head = value;
  }
  openRow() {
    if (this.#table) this.#table.row = [];
  }
  closeRow() {
    const table = this.#table;
    if (!table) return;
    if (table.head) table.headers = table.row;
    else table.rows.push(table.row);
    table.row = [];
  }
  openCell() {
    if (this.#table) this.#table.cell = new Sheet();
  }
  closeCell() {
    const { cell, row } = this.#table ?? {};
    if (!cell) return;
    cell.closeAll();
    row.push(trimmed(cell));
    this.#table.cell = undefined;
  }
  closeTable() {
    const table = this.#table;
    this.#table = undefined;
    if (!table) return;
    const { tableMode } = this.#options;
    if (tableMode === 'bullets') this.#bullets(table);
    else if (tableMode === 'code') this.#grid(table);
    else if (tableMode === 'block') this.tables.push({ headers: table.headers.map(({ text }) => text), rows: table.rows.map((row) => row.map(({ text }) => text)), headerCells: table.headers, rowCells: table.rows, placeholderOffset: this.sheet.text.length });
  }
  #bullets({ headers, rows }) {
    const { sheet } = this;
    const labelled = headers.length > 1;
    for (const row of rows) {
      if (labelled && row.length === 0) continue;
      if (labelled && row[0]?.text) {
        const start = sheet.text.length;
        sheet.append(row[0]);
        sheet.mark('bold', start);
        sheet.text += '\n';
      }
      for (let column = labelled ? 1 : 0; column < row.length; column++) {
        if (!row[column].text) continue;
        sheet.text += '• ';
        if (headers[column]?.text) sheet.append(headers[column]);
        if (headers[column]?.text) sheet.text += ': ';
        else if (labelled) sheet.text += `Column ${column}: `;
        sheet.append(row[column]);
        sheet.text += '\n';
      }
      sheet.text += '\n';
    }
  }
  #grid({ headers, rows }) {
    const columns = Math.max(headers.length, ...rows.map((row) => row.length));
    if (columns === 0) return;
    const { sheet } = this;
    const texts = [headers, ...rows].map((row) => Array.from({ length: columns }, (_, column) => row[column]?.text ?? ''));
    const widths = Array.from({ length: columns }, (_, column) => Math.max(...texts.map((row) => row[column].length)));
    const line = (cells) => `|${cells.map((cell, column) => ` ${cell.padEnd(widths[column])} |`).join('')}\n`;
    const start = sheet.text.length;
    sheet.text += line(texts[0]) + `|${widths.map((width) => ` ${'-'.repeat(Math.max(3, width))} |`).join('')}\n` + texts.slice(1).map(line).join('');
    sheet.mark('code_block', start);
    if (this.#lists.length === 0) sheet.text += '\n';
  }
}

const say = (writer, { content }) => writer.say(content);
const newline = (writer) => writer.say('\n');
const block = (writer, token) => writer.block(token);
const openCell = (writer) => writer.openCell();
const closeCell = (writer) => writer.closeCell();
const inlineCode = (writer, { content }) => content && writer.edge('code', content, 'code');
/** What each token adds. */
const STEPS = {
  text: say, image: say, html_block: say, html_inline: say, softbreak: newline, hardbreak: newline, code_inline: inlineCode, code_block: block, fence: block,
  spoiler_open: (writer) => writer.edge('open', 'spoiler'),
  spoiler_close: (writer) => writer.edge('close', 'spoiler'),
  link_open: (writer, token) => writer.edge('openLink', token.attrGet('href') ?? ''),
  link_close: (writer) => writer.edge('closeLink'),
  paragraph_close: (writer, token) => writer.gap(token),
  heading_open: (writer) => writer.headingEdge('open'),
  heading_close: (writer) => (writer.headingEdge('close'), writer.gap()),
  blockquote_open: (writer) => writer.quote(),
  blockquote_close: (writer) => writer.unquote(),
  bullet_list_open: (writer, token) => writer.openList(token, false),
  ordered_list_open: (writer, token) => writer.openList(token, true),
  bullet_list_close: (writer) => writer.closeList(),
  ordered_list_close: (writer) => writer.closeList(),
  list_item_open: (writer) => writer.item(),
  list_item_close: (writer) => writer.endItem(),
  hr: (writer) => (writer.sheet.text += '───\n\n'),
  table_open: (writer) => writer.openTable(),
  table_close: (writer) => writer.closeTable(),
  thead_open: (writer) => writer.head(true),
  thead_close: (writer) => writer.head(false),
  tr_open: (writer) => writer.openRow(),
  tr_close: (writer) => writer.closeRow(),
  th_open: openCell, td_open: openCell, th_close: closeCell, td_close: closeCell,
};

/**
 * Reads Markdown.
 * @param {string} markdown
 * @param {{linkify?: boolean, autolink?: boolean, enableSpoilers?: boolean, headingStyle?: 'none' | 'bold', blockquotePrefix?: string, tableMode?: 'off' | 'bullets' | 'code' | 'block'}} [options]
 * @returns {{ir: import('./spans.js').MarkdownIR, hasTables: boolean, tables: {headers: string[], rows: string[][], headerCells: object[], rowCells: object[][], placeholderOffset: number}[]}}
 */
export function markdownToIRWithMeta(markdown, options = {}) {
  const writer = new Writer(options);
  writer.write(parserFor(options).parse(markdown ?? '', {}));
  const { sheet } = writer;
  sheet.closeAll();
  const length = Math.max(sheet.text.trimEnd().length, ...sheet.styles.filter(({ style }) => style === 'code_block').map(({ end }) => end));
  return {
    ir: { text: sheet.text.slice(0, length), styles: mergeStyles(clampSpans(sheet.styles, length)), links: clampSpans(sheet.links, length) },
    hasTables: writer.hasTables,
    tables: writer.tables.map((table) => ({ ...table, placeholderOffset: Math.min(table.placeholderOffset, length) })),
  };
}
/** The same without what it says of tables. @param {string} markdown @param {object} [options] @returns {import('./spans.js').MarkdownIR} */
export const markdownToIR = (markdown, options) => markdownToIRWithMeta(markdown, options).ir;
