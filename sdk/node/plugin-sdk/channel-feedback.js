export { missingTargetError } from './internal/error-text.js';
export { logAckFailure, logTypingFailure } from './internal/feedback.js';
