export { createAckReactionHandle, removeAckReactionAfterReply, removeAckReactionHandleAfterReply, shouldAckReaction } from './internal/ack-reactions.js';
export { isTruthyEnvValue } from './internal/log-settings.js';
export { sanitizeTerminalText } from './internal/plain-text.js';
export { captureEnv, createTempHomeEnv, withEnv, withEnvAsync, withStateDirEnv, withTempDir } from './internal/testing/env.js';
export { createAuthCaptureJsonFetch, createMockServerResponse, createProviderUsageFetch, createRequestCaptureJsonFetch, jsonResponse, makeResponse, requestBodyText, requestUrl, withFetchPreconnect } from './internal/testing/http.js';
export { capturePluginRegistration, createCapturedPluginRegistration, registerProviderPlugin, registerProviderPlugins, registerSingleProviderPlugin, requireRegisteredProvider } from './internal/testing/plugin-api.js';
export { castAgentMessage, countLines, createSingleUserPromptMessage, extractNonEmptyAssistantText, hasBalancedFences, makeAgentAssistantMessage, makeAgentUserMessage, parseCsvFilter, typedCases, writeSkill } from './internal/testing/texts.js';
export { createCliRuntimeCapture, createNonExitingRuntimeEnv, createNonExitingTypedRuntimeEnv, createQueuedWizardPrompter, createRuntimeEnv, createTestWizardPrompter, createTypedRuntimeEnv, selectFirstWizardOption } from './internal/testing/wizard.js';
