export { extractErrorCode, formatErrorMessage } from './internal/error-text.js';
export { parseAccessGroupAllowFromEntry } from './internal/ingress-lists.js';
export { resolvePreferredOpenClawTmpDir } from './internal/paths.js';
export { redactSensitiveText } from './internal/redact.js';
export { getChannelSurface, resolveChannelAccountSurface } from './internal/secrets.js';
export { resolvePinnedMainDmOwnerFromAllowlist } from './internal/session-keys.js';
export { SsrFBlockedError, isBlockedHostnameOrIp, resolvePinnedHostnameWithPolicy } from './internal/ssrf.js';
export { hasOwnProperty, isRecord } from './internal/strings.js';
