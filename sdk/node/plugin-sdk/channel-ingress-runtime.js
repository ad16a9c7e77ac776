export { readChannelIngressStoreAllowFromForDmPolicy } from './internal/dm-group-access.js';
export { defineStableChannelIngressIdentity } from './internal/ingress-lists.js';
export { channelIngressRoutes, createChannelIngressResolver, resolveChannelMessageIngress, resolveStableChannelMessageIngress } from './internal/ingress.js';
