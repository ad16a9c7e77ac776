// Types only.
export {};
export { createAccountScopedConversationBindingManager, resetAccountScopedConversationBindingsForTests } from './internal/account-bindings.js';
export { registerSessionBindingAdapter, unregisterSessionBindingAdapter } from './internal/session-bindings.js';
export { resolveThreadBindingConversationIdFromBindingId, resolveThreadBindingFarewellText, resolveThreadBindingIdleTimeoutMsForChannel, resolveThreadBindingLifecycle, resolveThreadBindingMaxAgeMsForChannel } from './internal/thread-binding-policy.js';
