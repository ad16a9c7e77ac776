export { isTruthyEnvValue } from './internal/log-settings.js';
export { captureEnv, createTempHomeEnv, withEnv, withEnvAsync, withStateDirEnv, withTempDir, withTempHome } from './internal/testing/env.js';
export { createAuthCaptureJsonFetch, createMockIncomingRequest, createMockServerResponse, createProviderUsageFetch, createRequestCaptureJsonFetch, jsonResponse, makeResponse, requestBodyText, requestUrl, withFetchPreconnect, withServer } from './internal/testing/http.js';
export { createSingleUserPromptMessage, extractNonEmptyAssistantText, parseCsvFilter } from './internal/testing/texts.js';
export { parseCapabilityModelRef as parseVideoGenerationModelRef } from './internal/generation/candidates.js';
export { encodePngRgba, fillPixel } from './internal/media/png.js';
export { DEFAULT_LIVE_MUSIC_MODELS, DEFAULT_LIVE_VIDEO_MODELS, canRunBufferBackedImageToVideoLiveLane, canRunBufferBackedVideoToVideoLiveLane, collectProviderApiKeys, createWindowsCmdShimFixture, getShellEnvAppliedKeys, isLiveProfileKeyModeEnabled, isLiveTestEnabled, maybeLoadShellEnvForGenerationProviders, normalizeVideoGenerationDuration, parseProviderModelMap, redactLiveApiKey, resolveConfiguredLiveMusicModels, resolveConfiguredLiveVideoModels, resolveLiveMusicAuthStore, resolveLiveVideoAuthStore, resolveLiveVideoResolution } from './internal/testing/live.js';
