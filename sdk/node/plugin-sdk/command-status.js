// Types only.
export { buildCommandsMessage, buildCommandsMessagePaginated, buildHelpMessage } from './internal/command-lists.js';
