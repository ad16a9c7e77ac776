export { registerChannelRuntimeContext } from './internal/feedback.js';
