export { defineStableChannelIngressIdentity } from './internal/ingress-lists.js';
export { channelIngressRoutes, createChannelIngressResolver, resolveChannelMessageIngress, resolveStableChannelMessageIngress } from './internal/ingress.js';
