// Types only.
export {};
export { registerSessionBindingAdapter, unregisterSessionBindingAdapter } from './internal/session-bindings.js';
export { resolveThreadBindingConversationIdFromBindingId, resolveThreadBindingFarewellText, resolveThreadBindingIdleTimeoutMsForChannel, resolveThreadBindingLifecycle, resolveThreadBindingMaxAgeMsForChannel } from './internal/thread-binding-policy.js';
