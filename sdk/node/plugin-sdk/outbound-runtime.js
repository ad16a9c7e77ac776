export { createRuntimeOutboundDelegates } from './internal/directory.js';
export { buildOutboundSessionContext } from './internal/outbound-session.js';
export { sanitizeForPlainText } from './internal/plain-text.js';
export { createReplyToFanout } from './internal/reply-threading.js';
export { resolveOutboundSendDep } from './internal/send-result.js';
export { resolveAgentOutboundIdentity } from './internal/outbound-identity.js';
export { createOutboundPayloadPlan, projectOutboundPayloadPlanForDelivery } from './internal/outbound-plan.js';
export { deliverOutboundPayloads } from './internal/durable-send.js';
