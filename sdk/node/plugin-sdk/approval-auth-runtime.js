export { createResolvedApproverActionAuthAdapter, isImplicitSameChatApprovalAuthorization, markImplicitSameChatApprovalAuthorization, resolveApprovalApprovers } from './internal/approvals.js';
