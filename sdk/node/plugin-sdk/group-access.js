export { resolveOpenProviderRuntimeGroupPolicy } from './internal/group-policy.js';
