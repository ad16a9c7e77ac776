export { getExecApprovalReplyMetadata } from './internal/approval-client.js';
export { createDedupeCache, pruneMapToMaxSize } from './internal/dedupe.js';
export { createRuntimeOutboundDelegates } from './internal/directory.js';
export { extractErrorCode, formatErrorMessage } from './internal/error-text.js';
export { acquireFileLock, withFileLock } from './internal/file-lock.js';
export { MAX_TIMER_TIMEOUT_MS, MAX_TIMER_TIMEOUT_SECONDS, parseStrictFiniteNumber, parseStrictInteger, parseStrictNonNegativeInteger, parseStrictPositiveInteger } from './internal/numbers.js';
export { resolvePreferredOpenClawTmpDir } from './internal/paths.js';
export { resolveLegacyOutboundSendDepKeys, resolveOutboundSendDep } from './internal/send-result.js';
export { SsrFBlockedError, createLegacyPrivateNetworkDoctorContract, fetchWithSsrFGuard, isBlockedHostnameOrIp, isPrivateIpAddress, isPrivateNetworkOptInEnabled, resolvePinnedHostnameWithPolicy } from './internal/ssrf.js';
