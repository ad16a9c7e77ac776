export { sanitizeTerminalText } from './internal/plain-text.js';
