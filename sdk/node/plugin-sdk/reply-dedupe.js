// Types only.
export { resetInboundDedupe } from './internal/inbound-dispatch.js';
