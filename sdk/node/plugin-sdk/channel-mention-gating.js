export { implicitMentionKindWhen, resolveInboundMentionDecision } from './internal/mentions.js';
