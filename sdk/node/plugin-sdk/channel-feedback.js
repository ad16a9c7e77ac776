export { BUILD_TOOL_TOKENS, CODING_TOOL_TOKENS, CONCIERGE_TOOL_TOKENS, DEFAULT_EMOJIS, DEFAULT_TIMING, DEPLOY_TOOL_TOKENS, WEB_TOOL_TOKENS, createAckReactionHandle, removeAckReactionAfterReply, removeAckReactionHandleAfterReply, resolveToolEmoji, shouldAckReaction, shouldAckReactionForWhatsApp } from './internal/ack-reactions.js';
export { resolveAckReaction } from './internal/agent-identity.js';
export { missingTargetError } from './internal/error-text.js';
export { logAckFailure, logTypingFailure } from './internal/feedback.js';
export { createStatusReactionController } from './internal/status-reactions.js';
