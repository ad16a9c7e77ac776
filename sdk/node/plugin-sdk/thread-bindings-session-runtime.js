// Types only.
export {};
export { registerSessionBindingAdapter, unregisterSessionBindingAdapter } from './internal/session-bindings.js';
export { resolveThreadBindingFarewellText, resolveThreadBindingLifecycle } from './internal/thread-binding-policy.js';
