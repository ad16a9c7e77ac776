export { createChannelExecApprovalProfile, getExecApprovalReplyMetadata, isChannelExecApprovalClientEnabledFromConfig, matchesApprovalRequestFilters } from './internal/approval-client.js';
export { isChannelExecApprovalTargetRecipient } from './internal/approval-sessions.js';
