export { resolveChunkMode } from './internal/chunk.js';
export { finalizeInboundContext } from './internal/inbound-finalize.js';
export { createReplyDispatcher, dispatchReplyWithBufferedBlockDispatcher, dispatchReplyWithDispatcher } from './internal/reply-dispatch.js';
export { generateConversationLabel } from './internal/agent-questions.js';
