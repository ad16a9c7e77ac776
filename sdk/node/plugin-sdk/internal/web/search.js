// What search providers share: counts, freshness, dates, and answers that are kept for a while.
import { normalizeLowercaseStringOrEmpty } from '../strings.js';

/** Minutes that an answer is kept. */
export const DEFAULT_CACHE_TTL_MINUTES = 15;
/** Seconds that a request may take. */
export const DEFAULT_TIMEOUT_SECONDS = 30;
/** How many results a search asks for. */
export const DEFAULT_SEARCH_COUNT = 5;
/** How many it may ask for. */
export const MAX_SEARCH_COUNT = 10;
/** How many answers a cache keeps. */
const MAX_CACHE_ENTRIES = 100;
/** Where the manual speaks of the web tools. */
const DOCS = 'https://docs.openclaw.ai/tools/web';

/** The short words for how new results must be, in words. */
export const FRESHNESS_TO_RECENCY = { pd: 'day', pw: 'week', pm: 'month', py: 'year' };
const RECENCY_TO_FRESHNESS = Object.fromEntries(Object.entries(FRESHNESS_TO_RECENCY).map(([short, word]) => [word, short]));

const finite = (value, fallback) => (typeof value === 'number' && Number.isFinite(value) ? value : fallback);

/** Milliseconds that an answer is kept. @param {unknown} value minutes @param {number} fallbackMinutes @returns {number} */
export const resolveCacheTtlMs = (value, fallbackMinutes) => Math.round(Math.max(0, finite(value, fallbackMinutes)) * 60_000);
/** Whole seconds that a request may take, at least one. @param {unknown} value @param {number} fallback @returns {number} */
export const resolveTimeoutSeconds = (value, fallback) => Math.max(1, Math.floor(finite(value, fallback)));
/** How many results to ask for, from one to ten. @param {unknown} value @param {number} fallback @returns {number} */
export const resolveSearchCount = (value, fallback) => Math.max(1, Math.min(MAX_SEARCH_COUNT, Math.floor(finite(value, fallback))));
/** Milliseconds that a search's answer is kept. @param {any} [searchConfig] @returns {number} */
export const resolveSearchCacheTtlMs = (searchConfig) => resolveCacheTtlMs(searchConfig?.cacheTtlMinutes, DEFAULT_CACHE_TTL_MINUTES);
/** Seconds that a search may take. @param {any} [searchConfig] @returns {number} */
export const resolveSearchTimeoutSeconds = (searchConfig) => resolveTimeoutSeconds(searchConfig?.timeoutSeconds, DEFAULT_TIMEOUT_SECONDS);

/** A key that does not tell case apart. @param {unknown} value @returns {string} */
export const normalizeCacheKey = (value) => normalizeLowercaseStringOrEmpty(value);
/** The key of a search. @param {unknown[]} parts @returns {string} */
export const buildSearchCacheKey = (parts) => normalizeCacheKey(parts.map((part) => (part === undefined ? 'default' : String(part))).join(':'));

/** An answer that is still fresh. @param {Map<string, any>} cache @param {string} key @returns {{value: any, cached: true} | null} */
export function readCache(cache, key) {
  const entry = cache.get(key);
  if (entry && Date.now() <= entry.expiresAt) return { value: entry.value, cached: true };
  cache.delete(key);
  return null;
}

/** Keeps an answer; a full cache forgets its oldest. @param {Map<string, any>} cache @param {string} key @param {any} value @param {number} ttlMs */
export function writeCache(cache, key, value, ttlMs) {
  if (ttlMs <= 0) return;
  if (cache.size >= MAX_CACHE_ENTRIES) cache.delete(cache.keys().next().value);
  const insertedAt = Date.now();
  cache.set(key, { value, expiresAt: insertedAt + ttlMs, insertedAt });
}

/** The answers of searches in this worker. */
const answers = new Map();
/** A search's answer that is still fresh. @param {string} cacheKey @returns {any} */
export function readCachedSearchPayload(cacheKey) {
  const kept = readCache(answers, cacheKey);
  return kept ? { ...kept.value, cached: true } : undefined;
}
/** Keeps a search's answer. @param {string} cacheKey @param {any} payload @param {number} ttlMs */
export const writeCachedSearchPayload = (cacheKey, payload, ttlMs) => writeCache(answers, cacheKey, payload, ttlMs);

/** Whether a text is a day that exists, as `YYYY-MM-DD`. */
function isDay(value) {
  const date = /^\d{4}-\d{2}-\d{2}$/.test(value) ? new Date(`${value}T00:00:00Z`) : undefined;
  return Boolean(date) && !Number.isNaN(date.getTime()) && date.toISOString().slice(0, 10) === value;
}

/** A day as `YYYY-MM-DD`, from that or from `M/D/YYYY`. @param {string} value @returns {string | undefined} */
export function normalizeToIsoDate(value) {
  const [, month, day, year] = /^(\d{1,2})\/(\d{1,2})\/(\d{4})$/.exec(value.trim()) ?? [];
  const iso = year ? `${year}-${month.padStart(2, '0')}-${day.padStart(2, '0')}` : value.trim();
  return isDay(iso) ? iso : undefined;
}

/** A day as `M/D/YYYY`. @param {string} iso @returns {string | undefined} */
export function isoToPerplexityDate(iso) {
  const [, year, month, day] = /^(\d{4})-(\d{2})-(\d{2})$/.exec(iso) ?? [];
  return year ? `${Number(month)}/${Number(day)}/${year}` : undefined;
}

/**
 * How new results must be, in a provider's words; `undefined` for what it cannot say.
 * @param {string | undefined} value @param {'brave' | 'perplexity'} provider @returns {string | undefined}
 */
export function normalizeFreshness(value, provider) {
  const word = value?.trim().toLowerCase();
  if (!word) return undefined;
  const brave = provider === 'brave';
  if (Object.hasOwn(FRESHNESS_TO_RECENCY, word)) return brave ? word : FRESHNESS_TO_RECENCY[word];
  if (Object.hasOwn(RECENCY_TO_FRESHNESS, word)) return provider === 'perplexity' ? word : RECENCY_TO_FRESHNESS[word];
  const [, start, end] = (brave && /^(\d{4}-\d{2}-\d{2})to(\d{4}-\d{2}-\d{2})$/.exec(value.trim())) || [];
  return start && isDay(start) && isDay(end) && start <= end ? `${start}to${end}` : undefined;
}

/**
 * The days between which results must lie, or the error to answer with.
 * @param {{rawDateAfter?: string, rawDateBefore?: string, invalidDateAfterMessage: string, invalidDateBeforeMessage: string, invalidDateRangeMessage: string, docs?: string}} params
 * @returns {{dateAfter?: string, dateBefore?: string} | {error: string, message: string, docs: string}}
 */
export function parseIsoDateRange({ rawDateAfter, rawDateBefore, invalidDateAfterMessage, invalidDateBeforeMessage, invalidDateRangeMessage, docs = DOCS }) {
  const refused = (error, message) => ({ error, message, docs });
  const [dateAfter, dateBefore] = [rawDateAfter, rawDateBefore].map((raw) => (raw ? normalizeToIsoDate(raw) : undefined));
  if (rawDateAfter && !dateAfter) return refused('invalid_date', invalidDateAfterMessage);
  if (rawDateBefore && !dateBefore) return refused('invalid_date', invalidDateBeforeMessage);
  if (dateAfter && dateBefore && dateAfter > dateBefore) return refused('invalid_date_range', invalidDateRangeMessage);
  return { dateAfter, dateBefore };
}

/**
 * Freshness or days, which do not go together, or the error to answer with.
 * @param {{rawFreshness?: string, freshnessProvider: string, rawDateAfter?: string, rawDateBefore?: string, invalidFreshnessMessage: string, conflictingTimeFiltersMessage?: string, invalidDateAfterMessage: string, invalidDateBeforeMessage: string, invalidDateRangeMessage: string, docs?: string}} params
 * @returns {{freshness?: string, dateAfter?: string, dateBefore?: string} | {error: string, message: string, docs: string}}
 */
export function parseWebSearchTimeFilters({ rawFreshness, freshnessProvider, invalidFreshnessMessage, conflictingTimeFiltersMessage, docs = DOCS, ...dates }) {
  const freshness = rawFreshness && normalizeFreshness(rawFreshness, freshnessProvider);
  if (rawFreshness && !freshness) return { error: 'invalid_freshness', message: invalidFreshnessMessage, docs };
  if (rawFreshness && (dates.rawDateAfter || dates.rawDateBefore)) {
    const message = conflictingTimeFiltersMessage ?? 'freshness and date_after/date_before cannot be used together. Use either freshness (day/week/month/year) or a date range (date_after/date_before), not both.';
    return { error: 'conflicting_time_filters', message, docs };
  }
  const range = parseIsoDateRange({ ...dates, docs });
  return freshness && !('error' in range) ? { freshness, ...range } : range;
}

/** What a filter is called, and in which answer it is refused. */
const FILTERS = { country: 'country filtering', language: 'language filtering', freshness: 'freshness filtering', date_after: 'date_after/date_before filtering', date_before: 'date_after/date_before filtering' };

/**
 * The error for a filter that a provider does not know.
 * @param {Record<string, unknown>} params @param {string} provider @param {string} [docs]
 * @returns {{error: string, message: string, docs: string} | undefined}
 */
export function buildUnsupportedSearchFilterResponse(params, provider, docs = DOCS) {
  const name = Object.keys(FILTERS).find((key) => typeof params[key] === 'string' && params[key].trim());
  if (!name) return undefined;
  const date = name.startsWith('date_');
  return {
    error: date ? 'unsupported_date_filter' : `unsupported_${name}`,
    message: `The ${provider} provider has no ${FILTERS[name]}; Brave and Perplexity have ${date ? 'date filtering' : 'it'}.`,
    docs,
  };
}

/** The host of a result. @param {string} [url] @returns {string | undefined} */
export const resolveSiteName = (url) => (url && URL.canParse(url) ? new URL(url).hostname : undefined);

/** At most so many characters. @param {string} value @param {number} maxChars @returns {{text: string, truncated: boolean}} */
export const truncateText = (value, maxChars) => (value.length <= maxChars ? { text: value, truncated: false } : { text: value.slice(0, maxChars), truncated: true });

/** Markdown without its marks. @param {string} markdown @returns {string} */
export const markdownToText = (markdown) => markdown
  .replace(/!\[[^\]]*]\([^)]+\)/g, '')
  .replace(/\[([^\]]+)]\([^)]+\)/g, '$1')
  .replace(/```[\s\S]*?```/g, (fenced) => fenced.replace(/```[^\n]*\n?/g, ''))
  .replace(/`([^`]+)`/g, '$1')
  .replace(/^(?:#{1,6}\s+)/gm, '')
  .replace(/^\s*[-*+]\s+/gm, '')
  .replace(/^\s*\d+\.\s+/gm, '')
  .replace(/\r/g, '')
  .replace(/[ \t]+\n/g, '\n')
  .replace(/\n{3,}/g, '\n\n')
  .replace(/[ \t]{2,}/g, ' ')
  .trim();
