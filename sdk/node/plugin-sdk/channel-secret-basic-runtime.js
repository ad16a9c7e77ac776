export { getChannelSurface, resolveChannelAccountSurface } from './internal/secrets.js';
export { hasOwnProperty, isRecord } from './internal/strings.js';
