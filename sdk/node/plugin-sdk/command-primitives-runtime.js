// Types only.
export {};
export { isAbortRequestText, isBtwRequestText } from './internal/command-text.js';
