export { waitForAbortSignal } from './internal/async-tools.js';
export { collectProviderDangerousNameMatchingScopes, detectPluginInstallPathIssue, formatPluginInstallPathIssue } from './internal/doctor.js';
export { createSubsystemLogger, logVerbose, shouldLogVerbose } from './internal/host.js';
export { createLoggerBackedRuntime, createNonExitingRuntime, defaultRuntime, getChildLogger, resolveRuntimeEnv, resolveRuntimeEnvWithUnavailableExit, toPinoLikeLogger } from './internal/runtime-io.js';
export { danger, info, success, warn } from './internal/terminal.js';
