export { PAIRING_APPROVED_MESSAGE } from './internal/pairing.js';
export { projectCredentialSnapshotFields, resolveConfiguredFromCredentialStatuses, resolveConfiguredFromRequiredCredentialStatuses } from './internal/status-issues.js';
export { buildBaseChannelStatusSummary, buildComputedAccountStatusSnapshot, buildProbeChannelStatusSummary, buildTokenChannelStatusSummary, collectStatusIssuesFromLastError, createDefaultChannelRuntimeState } from './internal/status.js';
