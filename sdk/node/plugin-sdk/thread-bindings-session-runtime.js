// Types only.
export {};
export { resolveThreadBindingFarewellText, resolveThreadBindingLifecycle } from './internal/thread-binding-policy.js';
