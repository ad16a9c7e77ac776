export { runPluginCommandWithTimeout } from './internal/processes.js';
