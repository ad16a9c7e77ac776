export { ACCESS_GROUP_ALLOW_FROM_PREFIX, expandAllowFromWithAccessGroups, resolveAccessGroupAllowFromMatches, resolveAccessGroupAllowFromState } from './internal/allowlists.js';
export { parseAccessGroupAllowFromEntry } from './internal/ingress-lists.js';
