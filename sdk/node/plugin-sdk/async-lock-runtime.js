export { createAsyncLock } from './internal/async-tools.js';
