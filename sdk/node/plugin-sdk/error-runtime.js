export { extractErrorCode, formatErrorMessage } from './internal/error-text.js';
export { collectErrorGraphCandidates, formatUncaughtError, isApprovalNotFoundError, readErrorName, RequestScopedSubagentRuntimeError, SUBAGENT_RUNTIME_REQUEST_SCOPE_ERROR_CODE, SUBAGENT_RUNTIME_REQUEST_SCOPE_ERROR_MESSAGE } from './internal/errors.js';
