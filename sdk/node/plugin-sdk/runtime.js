export { waitForAbortSignal } from './internal/async-tools.js';
export { createSubsystemLogger, logVerbose, shouldLogVerbose } from './internal/host.js';
