export { resolveHeartbeatVisibility, resolveIndicatorType } from './internal/heartbeat-text.js';
