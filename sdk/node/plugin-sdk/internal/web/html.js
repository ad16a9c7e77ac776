// Pages as text. A page is read with plain patterns: no document is built of what a stranger wrote.

/** Marks that are not seen: zero width, direction, tags. */
const INVISIBLE = /[\u200B-\u200F\u202A-\u202E\u2060-\u2064\u206A-\u206F\uFEFF\u{E0000}-\u{E007F}]/gu;
const ENTITIES = { nbsp: ' ', amp: '&', quot: '"', lt: '<', gt: '>' };

/** @param {string} text @returns {string} */
export const stripInvisibleUnicode = (text) => text.replace(INVISIBLE, '');
/** Few blanks and no more than one empty line. @param {string} text @returns {string} */
export const normalizeWhitespace = (text) => text.replace(/\r/g, '').replace(/[ \t]+\n/g, '\n').replace(/\n{3,}/g, '\n\n').replace(/[ \t]{2,}/g, ' ').trim();

const codePoint = (number, whole) => (number > 0 && number <= 0x10ffff ? String.fromCodePoint(number) : whole);
const decoded = (text) =>
  text.replace(/&(nbsp|amp|quot|lt|gt);/gi, (_whole, name) => ENTITIES[name.toLowerCase()]).replace(/&#39;/g, "'").replace(/&#x([0-9a-f]+);/gi, (whole, hex) => codePoint(parseInt(hex, 16), whole)).replace(/&#(\d+);/g, (whole, digits) => codePoint(Number(digits), whole));
const withoutTags = (html) => decoded(html.replace(/<[^>]+>/g, ''));
const label = (html) => normalizeWhitespace(withoutTags(html));

/** @param {string} html @returns {{text: string, title?: string}} */
export function htmlToMarkdown(html) {
  const title = /<title[^>]*>([\s\S]*?)<\/title>/i.exec(html)?.[1];
  const text = html
    .replace(/<(script|style|noscript)[\s\S]*?<\/\1>/gi, '')
    .replace(/<a\s+[^>]*href=["']([^"']+)["'][^>]*>([\s\S]*?)<\/a>/gi, (_whole, href, body) => (label(body) ? `[${label(body)}](${href})` : href))
    .replace(/<h([1-6])[^>]*>([\s\S]*?)<\/h\1>/gi, (_whole, level, body) => `\n${'#'.repeat(Number(level))} ${label(body)}\n`)
    .replace(/<li[^>]*>([\s\S]*?)<\/li>/gi, (_whole, body) => (label(body) ? `\n- ${label(body)}` : ''))
    .replace(/<(?:br|hr)\s*\/?>|<\/(?:p|div|section|article|header|footer|table|tr|ul|ol)>/gi, '\n');
  return { text: normalizeWhitespace(withoutTags(text)), title: title === undefined ? undefined : label(title) };
}

const VOID = new Set(['area', 'base', 'br', 'col', 'embed', 'hr', 'img', 'input', 'link', 'meta', 'param', 'source', 'track', 'wbr']);
const DROPPED = new Set(['script', 'style', 'noscript', 'template', 'iframe', 'object', 'svg', 'canvas', 'meta']);
const HIDDEN_STYLE = /display\s*:\s*none|visibility\s*:\s*hidden|opacity\s*:\s*0(?:\.0+)?\s*(?:;|$)|font-size\s*:\s*0|text-indent\s*:\s*-\d{4,}px|color\s*:\s*transparent|clip-path\s*:\s*inset\(\s*(?:100|50)%/i;
const HIDDEN_CLASS = /(?:^|\s)(?:sr-only|visually-hidden|d-none|hidden|invisible|screen-reader-only|offscreen)(?:\s|$)/i;
const attribute = (attributes, name) => new RegExp(`(?:^|\\s)${name}\\s*=\\s*(?:"([^"]*)"|'([^']*)'|([^\\s>]+))`, 'i').exec(attributes)?.slice(1).find((value) => value !== undefined);
function isHidden(name, attributes) {
  if (DROPPED.has(name) || /(?:^|\s)hidden(?:\s|=|$)/i.test(attributes)) return true;
  if (attribute(attributes, 'aria-hidden') === 'true' || (name === 'input' && attribute(attributes, 'type')?.toLowerCase() === 'hidden')) return true;
  return HIDDEN_STYLE.test(attribute(attributes, 'style') ?? '') || HIDDEN_CLASS.test(attribute(attributes, 'class') ?? '');
}

/** A page without what a reader does not see: scripts, comments, hidden elements. @param {string} html @returns {Promise<string>} */
export async function sanitizeHtml(html) {
  const source = html.replace(/<!--[\s\S]*?(?:-->|$)/g, '');
  const out = [];
  let [at, hiddenBy, depth] = [0, undefined, 0];
  for (const tag of source.matchAll(/<(\/?)([a-zA-Z][\w:-]*)((?:"[^"]*"|'[^']*'|[^>"'])*)>/g)) {
    const [whole, closing, given, attributes] = tag;
    const name = given.toLowerCase();
    if (hiddenBy === undefined) out.push(source.slice(at, tag.index));
    at = tag.index + whole.length;
    if (hiddenBy !== undefined) {
      if (name === hiddenBy && !VOID.has(name)) depth += closing ? -1 : 1;
      if (depth === 0) hiddenBy = undefined;
    } else if (closing || !isHidden(name, attributes)) {
      out.push(whole);
    } else if (!VOID.has(name) && !attributes.endsWith('/')) {
      [hiddenBy, depth] = [name, 1];
    }
  }
  if (hiddenBy === undefined) out.push(source.slice(at));
  return out.join('');
}

/** @param {string} markdown @returns {string} */
const plainText = (markdown) =>
  normalizeWhitespace(
    markdown.replace(/!\[[^\]]*]\([^)]+\)/g, '').replace(/\[([^\]]+)]\([^)]+\)/g, '$1').replace(/```[^\n]*\n?([\s\S]*?)```/g, '$1').replace(/`([^`]+)`/g, '$1').replace(/^#{1,6}\s+/gm, '').replace(/^\s*[-*+]\s+/gm, '').replace(/^\s*\d+\.\s+/gm, ''),
  );

/** The content of a page; `null` when there is none. @param {{html: string, extractMode: 'markdown' | 'text'}} params @returns {Promise<{text: string, title?: string} | null>} */
export async function extractBasicHtmlContent({ html, extractMode }) {
  const clean = await sanitizeHtml(html);
  const { text: markdown, title } = htmlToMarkdown(clean);
  const text = extractMode === 'text' ? stripInvisibleUnicode(plainText(markdown)) || stripInvisibleUnicode(label(clean)) : stripInvisibleUnicode(markdown);
  return text ? { text, title } : null;
}
