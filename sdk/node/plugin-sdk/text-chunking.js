export { chunkTextForOutbound } from './internal/chunk.js';
export { sanitizeAssistantVisibleText } from './internal/visible-text.js';
export { convertMarkdownTables } from './internal/tables.js';
