// Types only.
export {};
export { isAutoLinkedFileRef } from './internal/plain-text.js';
