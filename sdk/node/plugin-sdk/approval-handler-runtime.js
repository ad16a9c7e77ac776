export { buildChannelApprovalExpiredText, buildChannelApprovalResolvedText, resolvePreparedApprovalAccountId } from './internal/approval-replies.js';
export { CHANNEL_APPROVAL_NATIVE_RUNTIME_CONTEXT_CAPABILITY, createChannelApprovalNativeRuntimeAdapter, createLazyChannelApprovalNativeRuntimeAdapter } from './internal/approvals.js';
export { resolveApprovalOverGateway } from './internal/host.js';
