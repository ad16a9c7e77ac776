export { logInboundDrop } from './internal/feedback.js';
export { implicitMentionKindWhen, resolveInboundMentionDecision } from './internal/mentions.js';
export { buildChannelInboundEventContext, buildChannelInboundMediaPayload } from './internal/inbound-context.js';
