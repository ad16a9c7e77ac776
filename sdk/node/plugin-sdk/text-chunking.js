export { chunkTextForOutbound } from './internal/chunk.js';
export { convertMarkdownTables } from './internal/tables.js';
