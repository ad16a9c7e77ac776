export { formatCliCommand } from './internal/cli-name.js';
export { theme } from './internal/terminal.js';
export { parseDurationMs } from './internal/values.js';
export { VERSION } from './internal/version.js';
export { formatHelpExamples } from './internal/cli-helpers.js';
export { inheritOptionFromParent, registerCommandGroups, resolveCliArgvInvocation, runCommandWithRuntime, shouldEagerRegisterSubcommands, waitForever } from './internal/cli-argv.js';
export { note, stylePromptTitle } from './internal/cli-notes.js';
export { RUNTIME_SERVICE_VERSION_FALLBACK, readVersionFromBuildInfoForModuleUrl, readVersionFromPackageJsonForModuleUrl, resolveBinaryVersion, resolveCompatibilityHostVersion, resolveRuntimeServiceVersion, resolveUsableRuntimeVersion, resolveVersionFromModuleUrl } from './internal/cli-versions.js';
