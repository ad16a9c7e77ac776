export { createChannelReplyPipeline, createReplyPrefixContext, createReplyPrefixOptions, createTypingCallbacks } from './internal/typing.js';
