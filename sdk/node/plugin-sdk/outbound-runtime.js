export { createRuntimeOutboundDelegates } from './internal/directory.js';
export { resolveOutboundSendDep } from './internal/send-result.js';
