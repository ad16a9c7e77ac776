export { computeBackoff, sleep, sleepWithAbort, waitForAbortSignal, withTimeout } from './internal/async-tools.js';
export { createSubsystemLogger, logVerbose, shouldLogVerbose } from './internal/host.js';
export { retryAsync } from './internal/retry.js';
export { createNonExitingRuntime, defaultRuntime, getChildLogger, toPinoLikeLogger } from './internal/runtime-io.js';
export { danger, info, success, warn } from './internal/terminal.js';
export { formatDurationPrecise, formatDurationSeconds } from './internal/time.js';
