export { sanitizeTerminalText } from './internal/plain-text.js';
export { castAgentMessage, countLines, hasBalancedFences, importFreshModule, makeAgentAssistantMessage, makeAgentUserMessage, typedCases, writeSkill } from './internal/testing/texts.js';
export { createCliRuntimeCapture } from './internal/testing/wizard.js';
export { BUNDLED_PLUGIN_PATH_PREFIX, BUNDLED_PLUGIN_ROOT_DIR, BUNDLED_PLUGIN_TEST_GLOB, bundledDistPluginFile, bundledDistPluginFileAt, bundledDistPluginRoot, bundledDistPluginRootAt, bundledPluginDirPrefix, bundledPluginFile, bundledPluginFileAt, bundledPluginRoot, bundledPluginRootAt, createSandboxBrowserConfig, createSandboxPruneConfig, createSandboxSshConfig, createSandboxTestContext, expectGeneratedTokenPersistedToGatewayAuth, installedPluginRoot, repoInstallSpec } from './internal/testing/places.js';
export { firstWrittenJsonArg, spyRuntimeErrors, spyRuntimeJson, spyRuntimeLogs } from './internal/testing/wizard.js';
export { peekSystemEvents, resetSystemEventsForTest } from './internal/system-events.js';
