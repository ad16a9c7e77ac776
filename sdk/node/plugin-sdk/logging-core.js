export { createSubsystemLogger } from './internal/host.js';
export { redactSensitiveText } from './internal/redact.js';
