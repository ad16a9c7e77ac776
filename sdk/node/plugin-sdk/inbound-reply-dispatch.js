// Types only.
export {};
export { hasFinalChannelMessageReplyDispatch, hasFinalInboundReplyDispatch, hasVisibleChannelMessageReplyDispatch, hasVisibleInboundReplyDispatch, resolveChannelMessageReplyDispatchCounts, resolveInboundReplyDispatchCounts } from './internal/delivery-contracts.js';
export { recordChannelBotPairLoopAndCheckSuppression, recordDroppedChannelInboundHistory } from './internal/inbound-facts.js';
export { buildChannelMessageReplyDispatchBase, buildInboundReplyDispatchBase, dispatchChannelInboundReply, dispatchChannelMessageReplyWithBase, dispatchInboundReplyWithBase, recordChannelMessageReplyDispatch, recordInboundSessionAndDispatchReply, runChannelInboundEvent, runInboundReplyTurn, runPreparedInboundReply, runPreparedInboundReplyTurn } from './internal/inbound-turn.js';
