export { createAckReactionHandle, removeAckReactionAfterReply, removeAckReactionHandleAfterReply, shouldAckReaction } from './internal/ack-reactions.js';
export { isTruthyEnvValue } from './internal/log-settings.js';
export { sanitizeTerminalText } from './internal/plain-text.js';
