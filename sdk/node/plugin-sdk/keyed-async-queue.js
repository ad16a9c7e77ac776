export { enqueueKeyedTask, KeyedAsyncQueue } from './internal/keyed-queue.js';
