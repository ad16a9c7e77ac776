export { resolveConfiguredAcpBindingRecord } from './internal/acp-bindings.js';
