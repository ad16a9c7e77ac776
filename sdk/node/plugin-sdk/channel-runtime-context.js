export { getChannelRuntimeContext, registerChannelRuntimeContext, watchChannelRuntimeContexts } from './internal/feedback.js';
