export { evaluateGroupRouteAccessForPolicy, evaluateMatchedGroupAccessForPolicy, evaluateSenderGroupAccess, evaluateSenderGroupAccessForPolicy, resolveSenderScopedGroupPolicy } from './internal/dm-group-access.js';
export { resolveOpenProviderRuntimeGroupPolicy } from './internal/group-policy.js';
