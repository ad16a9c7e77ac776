// Types only.
export {};
export { createReplyReferencePlanner, isSingleUseReplyToMode, resolveBatchedReplyThreadingPolicy } from './internal/reply-threading.js';
