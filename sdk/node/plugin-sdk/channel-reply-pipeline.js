export { resolveChannelSourceReplyDeliveryMode } from './internal/reply-delivery-mode.js';
export { createChannelReplyPipeline, createReplyPrefixContext, createReplyPrefixOptions, createTypingCallbacks } from './internal/typing.js';
