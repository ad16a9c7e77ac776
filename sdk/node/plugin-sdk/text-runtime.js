export { resolveUserPath } from './internal/paths.js';
export { redactSensitiveText } from './internal/redact.js';
export { asNullableRecord, asOptionalRecord, asRecord, escapeRegExp, hasNonEmptyString, isRecord, localeLowercasePreservingWhitespace, lowercasePreservingWhitespace, normalizeFastMode, normalizeLowercaseStringOrEmpty, normalizeNullableString, normalizeOptionalLowercaseString, normalizeOptionalString, normalizeOptionalStringifiedId, normalizeOptionalThreadValue, normalizeStringEntries, normalizeStringEntriesLower, normalizeStringifiedOptionalString, readStringValue, summarizeStringEntries, uniqueStrings, uniqueValues } from './internal/strings.js';
export { convertMarkdownTables } from './internal/tables.js';
