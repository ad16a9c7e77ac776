export { appendMemoryHostEvent, MEMORY_HOST_EVENT_LOG_RELATIVE_PATH, readMemoryHostEventRecords, readMemoryHostEvents, resolveMemoryHostEventLogPath } from './internal/memory/markdown.js';
