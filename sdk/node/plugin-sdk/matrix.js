// Types only.
export {};
export { runPluginCommandWithTimeout } from './internal/processes.js';
