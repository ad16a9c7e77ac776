export { enqueueSystemEvent } from './internal/host.js';
export { peekSystemEventEntries, resetSystemEventsForTest } from './internal/system-events.js';
