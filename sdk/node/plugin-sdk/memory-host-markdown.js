export { replaceManagedMarkdownBlock, withTrailingNewline } from './internal/memory/markdown.js';
