export { ensureConfiguredAcpBindingReady, resolveConfiguredAcpBindingRecord } from './internal/acp-bindings.js';
