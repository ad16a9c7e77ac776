export { AcpRuntimeError, getAcpRuntimeBackend, isAcpRuntimeError, registerAcpRuntimeBackend, requireAcpRuntimeBackend, unregisterAcpRuntimeBackend } from './internal/acp-runtime.js';
