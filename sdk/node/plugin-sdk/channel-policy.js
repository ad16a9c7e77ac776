export { buildAccountScopedDmSecurityPolicy } from './internal/channel-config.js';
export { buildOpenGroupPolicyWarning, createAllowlistProviderOpenWarningCollector, projectAccountConfigWarningCollector, resolveChannelGroupPolicy, resolveChannelGroupRequireMention } from './internal/group-policy.js';
