export { definePluginEntry } from './internal/entry.js';
export { isRequestBodyLimitError, readRequestBodyWithLimit, requestBodyErrorToText } from './internal/http-body.js';
export { TtsAutoSchema, TtsConfigSchema, TtsModeSchema, TtsProviderSchema } from './internal/speech/schemas.js';
export { fetchWithSsrFGuard } from './internal/ssrf.js';
export { sleep } from './internal/async-tools.js';
