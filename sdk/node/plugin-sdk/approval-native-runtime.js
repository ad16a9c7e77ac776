export { buildChannelApprovalNativeTargetKey, createChannelApproverDmTargetResolver, createChannelNativeOriginTargetResolver } from './internal/approvals.js';
