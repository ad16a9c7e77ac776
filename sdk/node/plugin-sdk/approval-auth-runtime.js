export { createResolvedApproverActionAuthAdapter, resolveApprovalApprovers } from './internal/approvals.js';
