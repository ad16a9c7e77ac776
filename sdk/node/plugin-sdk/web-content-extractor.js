export { extractBasicHtmlContent, htmlToMarkdown, normalizeWhitespace, sanitizeHtml, stripInvisibleUnicode } from './internal/web/html.js';
export { markdownToText } from './internal/web/search.js';
