export { normalizeChatType } from './internal/accounts.js';
export { createAccountStatusSink, waitUntilAbort } from './internal/status.js';
export { createReplyPrefixContext, createReplyPrefixOptions, createTypingCallbacks } from './internal/typing.js';
