export { createSubsystemLogger, logVerbose, shouldLogVerbose } from './internal/host.js';
