export { normalizeE164 } from './internal/allowlists.js';
export { sleep, withTimeout } from './internal/async-tools.js';
export { resolveUserPath } from './internal/paths.js';
export { redactSensitiveText } from './internal/redact.js';
export { createScopedExpiringIdCache, resolveGlobalMap, resolveGlobalSingleton } from './internal/singletons.js';
export { asNullableRecord, asOptionalRecord, asRecord, escapeRegExp, hasNonEmptyString, isRecord, localeLowercasePreservingWhitespace, lowercasePreservingWhitespace, normalizeAtHashSlug, normalizeFastMode, normalizeHyphenSlug, normalizeLowercaseStringOrEmpty, normalizeNullableString, normalizeOptionalLowercaseString, normalizeOptionalString, normalizeOptionalStringifiedId, normalizeOptionalThreadValue, normalizeOptionalTrimmedStringList, normalizeSingleOrTrimmedStringList, normalizeSortedUniqueStringEntries, normalizeStringEntries, normalizeStringEntriesLower, normalizeStringifiedOptionalString, normalizeTrimmedStringList, normalizeUniqueStringEntries, normalizeUniqueStringEntriesLower, readStringField, readStringValue, sortUniqueStrings, summarizeStringEntries, uniqueStrings, uniqueValues } from './internal/strings.js';
export { convertMarkdownTables } from './internal/tables.js';
export { sanitizeAssistantVisibleText } from './internal/visible-text.js';
