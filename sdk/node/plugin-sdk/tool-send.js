export { extractToolSend } from './internal/actions.js';
