export { createLoggerBackedRuntime, resolveRuntimeEnv, resolveRuntimeEnvWithUnavailableExit } from './internal/runtime-io.js';
