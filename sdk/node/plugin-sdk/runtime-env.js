export { computeBackoff, sleep, sleepWithAbort, waitForAbortSignal, withTimeout } from './internal/async-tools.js';
export { createSubsystemLogger, logVerbose, shouldLogVerbose } from './internal/host.js';
export { retryAsync } from './internal/retry.js';
export { formatDurationPrecise, formatDurationSeconds } from './internal/time.js';
