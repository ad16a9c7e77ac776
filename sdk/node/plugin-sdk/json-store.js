export { loadJsonFile, readJsonFileWithFallback, saveJsonFile, writeJsonFileAtomically } from './internal/json-file.js';
