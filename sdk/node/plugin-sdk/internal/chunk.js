// Splitting of texts that are too long for one message.

const DEFAULT_LIMIT = 4000;

/** Cuts at what `breakAt(window)` finds, else at the limit; spaces at the seams are dropped. */
export function chunkTextByBreakResolver(text, limit, breakAt) {
  if (!text) return [];
  if (limit <= 0 || text.length <= limit) return [text];
  const chunks = [];
  let rest = text;
  while (rest.length > limit) {
    const wanted = breakAt(rest.slice(0, limit));
    const at = Number.isFinite(wanted) && wanted > 0 && wanted <= limit ? wanted : limit;
    const chunk = rest.slice(0, at).trimEnd();
    if (chunk) chunks.push(chunk);
    rest = rest.slice(/\s/.test(rest[at]) ? at + 1 : at).trimStart();
  }
  return rest ? [...chunks, rest] : chunks;
}

/** Prefers the last line break of a window, then the last space. */
export const chunkTextForOutbound = (text, limit) =>
  chunkTextByBreakResolver(text, limit, (window) => {
    const line = window.lastIndexOf('\n');
    return line > 0 ? line : window.lastIndexOf(' ');
  });

/** The last line break and the last white space of a window that are not inside parentheses. */
function openBreaks(window) {
  let [depth, line, space] = [0, -1, -1];
  for (let i = 0; i < window.length; i++) {
    const char = window[i];
    if (char === '(') depth++;
    else if (char === ')' && depth > 0) depth--;
    else if (depth === 0 && char === '\n') line = i;
    else if (depth === 0 && /\s/.test(char)) space = i;
  }
  return { line, space };
}

/** Like `chunkTextForOutbound`, but links in parentheses stay whole. */
export const chunkText = (text, limit) =>
  chunkTextByBreakResolver(text, limit, (window) => {
    const { line, space } = openBreaks(window);
    return line > 0 ? line : space;
  });

/** One chunk per line; blank lines go to the chunk that follows. */
export function chunkByNewline(text, limit, { splitLongLines = true, trimLines = true, isSafeBreak = () => true } = {}) {
  if (!text) return [];
  if (limit <= 0) return text.trim() ? [text] : [];
  const chunks = [];
  let blanks = 0;
  for (const line of safeLines(text, isSafeBreak)) {
    if (!line.trim()) {
      blanks++;
      continue;
    }
    const prefix = '\n'.repeat(Math.min(blanks, Math.max(0, limit - 1)));
    blanks = 0;
    const value = trimLines ? line.trim() : line;
    if (!splitLongLines || value.length + prefix.length <= limit) chunks.push(prefix + value);
    else {
      const head = Math.max(1, limit - prefix.length);
      chunks.push(prefix + value.slice(0, head), ...chunkText(value.slice(head), limit));
    }
  }
  if (blanks > 0 && chunks.length > 0) chunks[chunks.length - 1] += '\n'.repeat(blanks);
  return chunks;
}

function safeLines(text, isSafeBreak) {
  const lines = [];
  let start = 0;
  for (let i = text.indexOf('\n'); i >= 0; i = text.indexOf('\n', i + 1)) {
    if (!isSafeBreak(i)) continue;
    lines.push(text.slice(start, i));
    start = i + 1;
  }
  return [...lines, text.slice(start)];
}

/** Code fences of a Markdown text: `{start, end, openLine, marker, indent}`. */
export function fencesOf(text) {
  const spans = [];
  let open = null;
  let at = 0;
  for (const line of text.split('\n')) {
    const match = /^( {0,3})(`{3,}|~{3,})(.*)$/.exec(line);
    if (match && !open) open = { start: at, openLine: line, marker: match[2], indent: match[1] };
    else if (match && open && match[2][0] === open.marker[0] && match[2].length >= open.marker.length) {
      spans.push({ ...open, end: at + line.length });
      open = null;
    }
    at += line.length + 1;
  }
  if (open) spans.push({ ...open, end: text.length });
  return spans;
}

const fenceAt = (fences, index) => fences.find((fence) => index > fence.start && index < fence.end);

/** Splits at blank lines outside code fences. */
export function chunkByParagraph(text, limit, { splitLongParagraphs = true } = {}) {
  if (!text) return [];
  if (limit <= 0) return [text];
  const normal = text.replace(/\r\n?/g, '\n');
  const split = (part) => (part.length <= limit || !splitLongParagraphs ? [part] : chunkText(part, limit));
  const gaps = [...normal.matchAll(/\n[\t ]*\n+/g)];
  if (gaps.length === 0) return split(normal);
  const fences = fencesOf(normal);
  const parts = [];
  let start = 0;
  for (const gap of gaps) {
    if (fenceAt(fences, gap.index)) continue;
    parts.push(normal.slice(start, gap.index));
    start = gap.index + gap[0].length;
  }
  return [...parts, normal.slice(start)].map((part) => part.replace(/\s+$/, '')).filter((part) => part.trim()).flatMap(split);
}

/** Splits Markdown; a code fence that is cut is closed, and opened again in the next chunk. */
export function chunkMarkdownText(text, limit) {
  if (!text) return [];
  if (limit <= 0 || text.length <= limit) return [text];
  const fences = fencesOf(text);
  const chunks = [];
  let start = 0;
  let reopen = '';
  while (start < text.length) {
    const room = Math.max(1, limit - reopen.length);
    if (text.length - start <= room) {
      chunks.push(reopen + text.slice(start));
      break;
    }
    const cut = cutMarkdown(text, start, room, fences);
    let chunk = reopen + text.slice(start, cut.at);
    if (cut.fence) chunk += `${chunk.endsWith('\n') ? '' : '\n'}${cut.fence.indent}${cut.fence.marker}`;
    chunks.push(chunk);
    start = cut.at + (/\s/.test(text[cut.at] ?? '') ? 1 : 0);
    reopen = cut.fence ? `${cut.fence.openLine}\n` : '';
    if (!cut.fence) while (text[start] === '\n') start++;
  }
  return chunks;
}

function cutMarkdown(text, start, room, fences) {
  const window = text.slice(start, start + room);
  const { line, space } = openBreaks(window);
  const soft = [line, space].find((at) => at > 0 && !fenceAt(fences, start + at));
  if (soft !== undefined) return { at: start + soft };
  const fence = fenceAt(fences, start + room);
  if (!fence) return { at: start + room };
  const closing = fence.indent.length + fence.marker.length;
  const least = Math.max(start + 1, fence.start + fence.openLine.length + 2);
  const newline = text.lastIndexOf('\n', start + room - closing - 1) + 1;
  if (newline >= least) return { at: newline, fence };
  const hard = start + room - closing - 1;
  return hard >= least && fenceAt(fences, hard) === fence ? { at: hard, fence } : { at: start + room };
}

export const chunkTextWithMode = (text, limit, mode) => (mode === 'newline' ? chunkByParagraph(text, limit) : chunkText(text, limit));

export function chunkMarkdownTextWithMode(text, limit, mode) {
  if (mode !== 'newline') return chunkMarkdownText(text, limit);
  return chunkByParagraph(text, limit, { splitLongParagraphs: false }).flatMap((part) => chunkMarkdownText(part, limit));
}

function settingOf(cfg, provider, accountId, name) {
  if (!provider || provider === 'webchat') return undefined;
  const section = cfg?.channels?.[provider] ?? cfg?.[provider];
  const wanted = (accountId ?? '').trim().toLowerCase() || 'default';
  const key = Object.keys(section?.accounts ?? {}).find((id) => id.toLowerCase() === wanted);
  return section?.accounts?.[key]?.[name] ?? section?.[name];
}

/** The longest message of a channel in characters. */
export function resolveTextChunkLimit(cfg, provider, accountId, options) {
  const configured = settingOf(cfg, provider, accountId, 'textChunkLimit');
  if (typeof configured === 'number' && configured > 0) return configured;
  return typeof options?.fallbackLimit === 'number' && options.fallbackLimit > 0 ? options.fallbackLimit : DEFAULT_LIMIT;
}

/** `length` or `newline`. */
export const resolveChunkMode = (cfg, provider, accountId) => settingOf(cfg, provider, accountId, 'chunkMode') ?? 'length';
