export { createRuntimeOutboundDelegates } from './internal/directory.js';
export { logAckFailure, logTypingFailure } from './internal/feedback.js';
export { createChannelMessageAdapterFromOutbound, createMessageReceiptFromOutboundResults, defineChannelMessageAdapter, listMessageReceiptPlatformIds, resolveMessageReceiptPrimaryId, resolveOutboundSendDep } from './internal/send-result.js';
export { createAccountStatusSink, runPassiveAccountLifecycle, waitUntilAbort } from './internal/status.js';
export { createChannelMessageReplyPipeline, createReplyPrefixContext, createReplyPrefixOptions, createTypingCallbacks, resolveChannelStreamingBlockEnabled } from './internal/typing.js';
