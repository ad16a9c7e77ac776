export { normalizeApplyTextNormalization, normalizeLanguageCode, normalizeSeed, normalizeSpeechProviderId, normalizeTtsAutoMode, requireInRange, scheduleCleanup, trimToUndefined, TTS_AUTO_MODES } from './internal/speech/values.js';
export { parseSpeechDirectiveNumberOverride, parseTtsDirectives } from './internal/speech/directives.js';
export { createOpenAiCompatibleSpeechProvider } from './internal/speech/openai-compatible.js';
export { asObject, assertOkOrThrowProviderError, createProviderHttpError, extractProviderErrorDetail, extractProviderRequestId, formatProviderErrorPayload, formatProviderHttpErrorMessage, readResponseTextLimited, truncateErrorDetail } from './internal/provider/http-errors.js';
export { asFiniteNumber } from './internal/numbers.js';
export { asBoolean } from './internal/strings.js';
export { resolveEffectiveTtsConfig } from './internal/speech/config.js';
export { summarizeText } from './internal/speech/speak.js';
export { canonicalizeSpeechProviderId, getSpeechProvider, listLoadedSpeechProviders, listSpeechProviders } from './internal/capability-registries.js';
