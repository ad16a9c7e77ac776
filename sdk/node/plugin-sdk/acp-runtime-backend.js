export { AcpRuntimeError, getAcpRuntimeBackend, isAcpRuntimeError, registerAcpRuntimeBackend, requireAcpRuntimeBackend, unregisterAcpRuntimeBackend } from './internal/acp-runtime.js';
export { tryDispatchAcpReplyHook } from './internal/acp-bindings.js';
