export { createRuntimeOutboundDelegates } from './internal/directory.js';
export { buildOutboundSessionContext } from './internal/outbound-session.js';
export { sanitizeForPlainText } from './internal/plain-text.js';
export { createReplyToFanout } from './internal/reply-threading.js';
export { resolveOutboundSendDep } from './internal/send-result.js';
