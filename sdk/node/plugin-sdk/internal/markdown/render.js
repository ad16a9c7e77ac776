// A marked text in the writing of a channel.
const ORDER = ['blockquote', 'code_block', 'code', 'bold', 'italic', 'strikethrough', 'spoiler'];
const rank = ({ style }) => Math.max(0, ORDER.indexOf(style));
/** What reaches further opens first; a link before a style, styles in their order, equals as they came. */
const byReach = (a, b) => b.end - a.end || Number(Boolean(a.style)) - Number(Boolean(b.style)) || (a.style ? rank(a) - rank(b) : 0);

/**
 * Writes a marked text with the marks of a channel.
 * @param {import('./spans.js').MarkdownIR} ir
 * @param {{styleMarkers: Record<string, {open: string, close: string}>, escapeText: (text: string) => string, buildLink?: (link: object, text: string) => {start: number, end: number, open: string, close: string} | null}} options
 * @returns {string}
 */
export function renderMarkdownWithMarkers({ text, styles, links }, { styleMarkers, escapeText, buildLink }) {
  if (!text) return '';
  const marks = styles.filter(({ style, start, end }) => styleMarkers[style] && start !== end).map((span) => ({ ...span, ...styleMarkers[span.style] }));
  const built = buildLink ? links.filter(({ start, end }) => start !== end).map((link) => buildLink(link, text)).filter(Boolean).map(({ start, end, open, close }) => ({ start, end, open, close })) : [];
  const startsAt = Map.groupBy([...built, ...marks], ({ start }) => start);
  const points = [...new Set([0, text.length, ...[...built, ...marks].flatMap(({ start, end }) => [start, end])])].sort((a, b) => a - b);
  const open = [];
  let out = '';
  for (const [index, point] of points.entries()) {
    while (open.at(-1)?.end === point) out += open.pop().close;
    for (const mark of (startsAt.get(point) ?? []).sort(byReach)) {
      out += mark.open;
      open.push(mark);
    }
    if (index + 1 < points.length) out += escapeText(text.slice(point, points[index + 1]));
  }
  return out;
}
