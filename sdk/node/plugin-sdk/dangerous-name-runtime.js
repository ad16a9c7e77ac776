export { isDangerousNameMatchingEnabled, resolveDangerousNameMatchingEnabled } from './internal/channel-config.js';
