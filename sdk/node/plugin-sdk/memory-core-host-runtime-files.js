export { DEFAULT_MEMORY_READ_LINES } from './internal/memory/read.js';
