export { waitForAbortSignal } from './internal/async-tools.js';
export { collectProviderDangerousNameMatchingScopes, detectPluginInstallPathIssue, formatPluginInstallPathIssue } from './internal/doctor.js';
export { createSubsystemLogger, logVerbose, shouldLogVerbose } from './internal/host.js';
export { ALLOWED_LOG_LEVELS, createSubsystemRuntime, isFileLogLevelEnabled, isVerbose, isYes, levelToMinLevel, logVerboseConsole, normalizeLogLevel, runtimeForLogger, setConsoleSubsystemFilter, setVerbose, setYes, shouldLogSubsystemToConsole, stripRedundantSubsystemPrefixForConsole } from './internal/log-settings.js';
export { removePluginFromConfig } from './internal/plugin-removal.js';
export { registerUncaughtExceptionHandler, registerUnhandledRejectionHandler } from './internal/process-faults.js';
export { createLoggerBackedRuntime, createNonExitingRuntime, defaultRuntime, getChildLogger, resolveRuntimeEnv, resolveRuntimeEnvWithUnavailableExit, toPinoLikeLogger } from './internal/runtime-io.js';
export { danger, info, success, warn } from './internal/terminal.js';
export { DEFAULT_LOG_DIR, DEFAULT_LOG_FILE, enableConsoleCapture, getConsoleSettings, getLogger, getResolvedConsoleSettings, getResolvedLoggerSettings, resetLogger, routeLogsToStderr, setConsoleConfigLoaderForTests, setConsoleTimestampPrefix, setLoggerConfigLoaderForTests, setLoggerOverride } from './internal/logger-settings.js';
