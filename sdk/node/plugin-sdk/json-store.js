export { readJsonFileWithFallback, writeJsonFileAtomically } from './internal/json-file.js';
