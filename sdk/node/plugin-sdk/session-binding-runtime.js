// Types only.
export {};
export { getSessionBindingService, registerSessionBindingAdapter } from './internal/session-bindings.js';
