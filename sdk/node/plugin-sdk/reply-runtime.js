export { chunkMarkdownText, chunkMarkdownTextWithMode, chunkText, chunkTextWithMode, resolveChunkMode, resolveTextChunkLimit } from './internal/chunk.js';
export { isAbortRequestText, isBtwRequestText } from './internal/command-text.js';
export { normalizeGroupActivation, parseActivationCommand } from './internal/group-activation.js';
export { DEFAULT_HEARTBEAT_ACK_MAX_CHARS, HEARTBEAT_PROMPT, HEARTBEAT_TOKEN, resolveHeartbeatPrompt, resolveHeartbeatReplyPayload, settleReplyDispatcher, stripHeartbeatToken } from './internal/heartbeat-text.js';
export { createInboundDebouncer, resolveInboundDebounceMs } from './internal/inbound-debounce.js';
export { finalizeInboundContext } from './internal/inbound-finalize.js';
export { createReplyReferencePlanner } from './internal/reply-threading.js';
export { SILENT_REPLY_TOKEN, isSilentReplyText } from './internal/silent-reply.js';
export { createReplyDispatcher, createReplyDispatcherWithTyping, dispatchReplyFromConfig, dispatchReplyWithBufferedBlockDispatcher, dispatchReplyWithDispatcher, withReplyDispatcher } from './internal/reply-dispatch.js';
