export { isDangerousNameMatchingEnabled, requireRuntimeConfig, resolveChannelContextVisibilityMode, resolveDefaultContextVisibility } from './internal/channel-config.js';
export { GROUP_POLICY_BLOCKED_LABEL, resolveAllowlistProviderRuntimeGroupPolicy, resolveChannelGroupPolicy, resolveChannelGroupRequireMention, resolveDefaultGroupPolicy, resolveOpenProviderRuntimeGroupPolicy, warnMissingProviderGroupPolicyFallbackOnce } from './internal/group-policy.js';
export { getRuntimeConfigSnapshot, loadSessionStore } from './internal/host.js';
export { resolveStorePath } from './internal/paths.js';
export { coerceSecretRef } from './internal/secrets.js';
export { resolveMarkdownTableMode } from './internal/tables.js';
