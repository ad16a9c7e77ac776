// Types only.
export { drainPendingDeliveries } from './internal/durable-send.js';
