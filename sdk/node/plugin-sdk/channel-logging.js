export { logAckFailure, logInboundDrop, logTypingFailure } from './internal/feedback.js';
