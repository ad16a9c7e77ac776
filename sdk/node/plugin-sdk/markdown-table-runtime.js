export { convertMarkdownTables, resolveMarkdownTableMode } from './internal/tables.js';
