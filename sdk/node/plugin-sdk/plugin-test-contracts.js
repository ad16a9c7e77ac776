export { uniqueSortedStrings } from './internal/testing/texts.js';
