export { KeyedAsyncQueue } from './internal/keyed-queue.js';
