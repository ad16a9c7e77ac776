export { isDangerousNameMatchingEnabled } from './internal/channel-config.js';
