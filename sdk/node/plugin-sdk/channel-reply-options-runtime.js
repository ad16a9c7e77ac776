export { createReplyPrefixOptions, createTypingCallbacks } from './internal/typing.js';
