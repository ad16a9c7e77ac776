export { createDirectDmPreCryptoGuardPolicy, createPreCryptoDirectDmAuthorizer } from './internal/direct-dm.js';
export { logInboundDrop } from './internal/feedback.js';
export { buildChannelInboundEventContext, buildChannelInboundMediaPayload } from './internal/inbound-context.js';
export { implicitMentionKindWhen, resolveInboundMentionDecision } from './internal/mentions.js';
