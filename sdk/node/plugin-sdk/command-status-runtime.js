export { resolveDirectStatusReplyForSession } from './internal/session-status.js';
