export { resolvePreferredOpenClawTmpDir } from './internal/paths.js';
export { buildRandomTempFilePath, createTempDownloadTarget, sanitizeTempFileName, tempWorkspace, tempWorkspaceSync, withTempDownloadPath, withTempWorkspace, withTempWorkspaceSync } from './internal/temp-files.js';
