export { logWebhookError, logWebhookProcessed, logWebhookReceived } from './internal/diagnostics.js';
export { createSubsystemLogger } from './internal/host.js';
export { redactIdentifier } from './internal/identifiers.js';
export { redactSensitiveFieldValue, redactSensitiveText, redactToolPayloadText } from './internal/redact.js';
export { getChildLogger, logDebug, logError, logInfo } from './internal/runtime-io.js';
export { startDiagnosticHeartbeat, stopDiagnosticHeartbeat } from './internal/diagnostics.js';
