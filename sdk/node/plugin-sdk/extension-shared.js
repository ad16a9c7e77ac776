export { runStoppablePassiveMonitor } from './internal/status.js';
