export { prepareOomScoreAdjustedSpawn, resolveCommandEnv, resolveProcessExitCode, runCommandWithTimeout, runExec, shouldSpawnWithShell } from './internal/processes.js';
