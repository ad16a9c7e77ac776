// Types only.
export {};
export { recordChannelActivity } from './internal/inbound-facts.js';
