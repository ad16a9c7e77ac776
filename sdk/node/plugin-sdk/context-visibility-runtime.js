export { resolveChannelContextVisibilityMode, resolveDefaultContextVisibility } from './internal/channel-config.js';
