export { getExecApprovalReplyMetadata } from './internal/approval-client.js';
