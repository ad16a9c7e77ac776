export { logInboundDrop } from './internal/feedback.js';
export { implicitMentionKindWhen, resolveInboundMentionDecision } from './internal/mentions.js';
