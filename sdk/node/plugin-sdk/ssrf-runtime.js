export { isPrivateOrLoopbackHost } from './internal/client-ip.js';
export { closeDispatcher, createPinnedDispatcher } from './internal/dispatchers.js';
export { formatErrorMessage } from './internal/error-text.js';
export { assertHttpUrlTargetsPrivateNetwork, buildHostnameAllowlistPolicyFromSuffixAllowlist, createLegacyPrivateNetworkDoctorContract, hasLegacyFlatAllowPrivateNetworkAlias, mergeSsrFPolicies, migrateLegacyFlatAllowPrivateNetworkAlias, ssrfPolicyFromAllowPrivateNetwork, ssrfPolicyFromDangerouslyAllowPrivateNetwork, ssrfPolicyFromHttpBaseUrlAllowedHostname, ssrfPolicyFromPrivateNetworkOptIn } from './internal/ssrf-policy.js';
export { fetchWithSsrFGuard, isBlockedHostnameOrIp, isPrivateIpAddress, isPrivateNetworkOptInEnabled, resolvePinnedHostname, resolvePinnedHostnameWithPolicy, resolveSsrFPolicyForUrl, SsrFBlockedError, ssrfPolicyFromHttpBaseUrlAllowedOrigin } from './internal/ssrf.js';
