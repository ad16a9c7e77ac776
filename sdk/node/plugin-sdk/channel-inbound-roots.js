// Types only.
export {};
export { mergeInboundPathRoots } from './internal/media/roots.js';
