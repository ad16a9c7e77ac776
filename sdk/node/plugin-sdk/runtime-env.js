export { computeBackoff, sleep, sleepWithAbort, waitForAbortSignal, withTimeout } from './internal/async-tools.js';
export { createSubsystemLogger, logVerbose, shouldLogVerbose } from './internal/host.js';
export { ALLOWED_LOG_LEVELS, createSubsystemRuntime, isFileLogLevelEnabled, isTruthyEnvValue, isVerbose, isYes, levelToMinLevel, logVerboseConsole, normalizeLogLevel, runtimeForLogger, setConsoleSubsystemFilter, setVerbose, setYes, shouldLogSubsystemToConsole, stripRedundantSubsystemPrefixForConsole } from './internal/log-settings.js';
export { isWSL2Sync } from './internal/platform.js';
export { registerUncaughtExceptionHandler, registerUnhandledRejectionHandler } from './internal/process-faults.js';
export { retryAsync } from './internal/retry.js';
export { createNonExitingRuntime, defaultRuntime, getChildLogger, toPinoLikeLogger } from './internal/runtime-io.js';
export { danger, info, success, warn } from './internal/terminal.js';
export { formatDurationPrecise, formatDurationSeconds } from './internal/time.js';
