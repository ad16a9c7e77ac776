// Types only.
export {};
export { createInboundDebouncer, resolveInboundDebounceMs } from './internal/inbound-debounce.js';
