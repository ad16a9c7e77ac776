export { MEMORY_HOST_EVENT_LOG_RELATIVE_PATH, appendMemoryHostEvent, readMemoryHostEvents, resolveMemoryHostEventLogPath } from './internal/memory/markdown.js';
