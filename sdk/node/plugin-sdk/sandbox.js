export { resolvePreferredOpenClawTmpDir } from './internal/paths.js';
export { runPluginCommandWithTimeout } from './internal/processes.js';
export { tempWorkspace, tempWorkspaceSync, withTempWorkspace, withTempWorkspaceSync } from './internal/temp-files.js';
