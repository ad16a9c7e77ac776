export { formatErrorMessage } from './internal/error-text.js';
export { SsrFBlockedError, createLegacyPrivateNetworkDoctorContract, fetchWithSsrFGuard, isBlockedHostnameOrIp, isPrivateIpAddress, isPrivateNetworkOptInEnabled, resolvePinnedHostnameWithPolicy } from './internal/ssrf.js';
