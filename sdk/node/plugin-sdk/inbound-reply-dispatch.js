export { hasFinalChannelMessageReplyDispatch, hasFinalInboundReplyDispatch, hasVisibleChannelMessageReplyDispatch, hasVisibleInboundReplyDispatch, resolveChannelMessageReplyDispatchCounts, resolveInboundReplyDispatchCounts } from './internal/delivery-contracts.js';
export { recordChannelBotPairLoopAndCheckSuppression, recordDroppedChannelInboundHistory } from './internal/inbound-facts.js';
export { buildChannelMessageReplyDispatchBase, buildInboundReplyDispatchBase, dispatchChannelInboundReply, dispatchChannelMessageReplyWithBase, dispatchInboundReplyWithBase, recordChannelMessageReplyDispatch, recordInboundSessionAndDispatchReply, runChannelInboundEvent, runInboundReplyTurn, runPreparedInboundReply, runPreparedInboundReplyTurn } from './internal/inbound-turn.js';
export { dispatchReplyFromConfigWithSettledDispatcher } from './internal/reply-dispatch.js';
export { deliverDurableInboundReplyPayload, deliverInboundReplyWithMessageSendContext } from './internal/durable-send.js';
