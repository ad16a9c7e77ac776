// Types only.
export {};
export { normalizeCommandBody, shouldHandleTextCommands } from './internal/command-text.js';
