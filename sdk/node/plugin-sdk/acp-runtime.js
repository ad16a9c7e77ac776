export { AcpRuntimeError, getAcpRuntimeBackend, isAcpRuntimeError, registerAcpRuntimeBackend, requireAcpRuntimeBackend, unregisterAcpRuntimeBackend } from './internal/acp-runtime.js';
export { getAcpSessionManager, readAcpSessionEntry, tryDispatchAcpReplyHook } from './internal/acp-bindings.js';
