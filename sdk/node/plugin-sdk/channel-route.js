export { channelRouteDedupeKey, channelRouteTargetsMatchExact, normalizeChannelRouteRef, normalizeChannelRouteTarget } from './internal/session-keys.js';
