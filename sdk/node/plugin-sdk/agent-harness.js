export { formatErrorMessage } from './internal/error-text.js';
export { resolveUserPath } from './internal/paths.js';
export { FAST_MODE_AUTO_PROGRESS_KIND } from './internal/reply-send.js';
export { formatApprovalDisplayPath } from './internal/approval-replies.js';
export { isSubagentSessionKey } from './internal/session-routes.js';
export { resolveAgentDir, resolveDefaultAgentDir, resolveOpenClawAgentDir, resolveSessionAgentIds } from './internal/agents.js';
