// Types only.
export {};
export { collectNestedChannelTtsAssignments } from './internal/channel-secrets.js';
