export { resolveHeartbeatVisibility, resolveIndicatorType } from './internal/heartbeat-text.js';
export { requestHeartbeat } from './internal/heartbeat-wish.js';
export { emitHeartbeatEvent, getLastHeartbeatEvent, onHeartbeatEvent, resetHeartbeatEventsForTest } from './internal/heartbeat-events.js';
