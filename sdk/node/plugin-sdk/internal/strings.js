// Strings, records and lists as plugins normalise them.

/** The string when the value is one. */
export const readStringValue = (value) => (typeof value === 'string' ? value : undefined);

/** Trimmed text, or `null` for blank text and other types. */
export const normalizeNullableString = (value) => (typeof value === 'string' && value.trim()) || null;

/** Trimmed text, or `undefined`. */
export const normalizeOptionalString = (value) => normalizeNullableString(value) ?? undefined;

/** Trimmed lower-case text, or `undefined`. */
export const normalizeOptionalLowercaseString = (value) => normalizeOptionalString(value)?.toLowerCase();

/** Trimmed lower-case text, or the empty string. */
export const normalizeLowercaseStringOrEmpty = (value) => normalizeOptionalLowercaseString(value) ?? '';

/** Like `normalizeOptionalString`, for numbers, booleans and big integers too. */
export function normalizeStringifiedOptionalString(value) {
  const plain = ['string', 'number', 'boolean', 'bigint'].includes(typeof value);
  return plain ? normalizeOptionalString(String(value)) : undefined;
}

/** A thread or message id as text: numbers are cut to integers. */
export function normalizeOptionalStringifiedId(value) {
  const id = normalizeOptionalThreadValue(value);
  return id === undefined ? undefined : String(id);
}

/** A thread id: an integer, or trimmed text. */
export function normalizeOptionalThreadValue(value) {
  if (typeof value === 'number') return Number.isFinite(value) ? Math.trunc(value) : undefined;
  return normalizeOptionalString(value);
}

/** Whether there is any text. */
export const hasNonEmptyString = (value) => normalizeOptionalString(value) !== undefined;

export const lowercasePreservingWhitespace = (value) => value.toLowerCase();
export const localeLowercasePreservingWhitespace = (value) => value.toLocaleLowerCase();

/** Every entry as trimmed text, blanks dropped. */
export const normalizeStringEntries = (list) => (list ?? []).map((entry) => String(entry).trim()).filter(Boolean);

/** The same in lower case. */
export const normalizeStringEntriesLower = (list) => normalizeStringEntries(list).map((entry) => entry.toLowerCase());

export const uniqueValues = (values) => [...new Set(values)];
export const uniqueStrings = (values) => uniqueValues(values);

/** Whether a value is an object that is not a list. */
export const isRecord = (value) => typeof value === 'object' && value !== null && !Array.isArray(value);

export const asNullableRecord = (value) => (isRecord(value) ? value : null);
export const asOptionalRecord = (value) => (isRecord(value) ? value : undefined);
export const asRecord = (value) => (isRecord(value) ? value : {});
export const asBoolean = (value) => (typeof value === 'boolean' ? value : undefined);
export const hasOwnProperty = (record, key) => Object.prototype.hasOwnProperty.call(record, key);
export const escapeRegExp = (text) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');

/** Words for fast mode as a boolean. */
export function normalizeFastMode(raw) {
  if (typeof raw === 'boolean') return raw;
  const key = normalizeLowercaseStringOrEmpty(raw);
  if (['off', 'false', 'no', '0', 'disable', 'disabled', 'normal'].includes(key)) return false;
  return ['on', 'true', 'yes', '1', 'enable', 'enabled', 'fast'].includes(key) ? true : undefined;
}

/** The first entries of a list, and how many more there are. */
export function summarizeStringEntries({ entries, limit, emptyText }) {
  const list = entries ?? [];
  if (list.length === 0) return emptyText ?? '';
  const shown = list.slice(0, Math.max(1, Math.floor(limit ?? 6)));
  const rest = list.length - shown.length;
  return shown.join(', ') + (rest > 0 ? ` (+${rest})` : '');
}

/**
 * Text entries without repetitions, in their order.
 * @param {Iterable<unknown>} [values]
 * @returns {string[]}
 */
export const normalizeUniqueStringEntries = (values) => uniqueValues(normalizeStringEntries([...(values ?? [])]));

/**
 * The same in lower case.
 * @param {Iterable<unknown>} [values]
 * @returns {string[]}
 */
export const normalizeUniqueStringEntriesLower = (values) => uniqueValues(normalizeStringEntriesLower([...(values ?? [])]));

const ascii = (a, b) => (a < b ? -1 : a > b ? 1 : 0);

/**
 * Texts without repetitions, sorted.
 * @param {Iterable<string>} values
 * @returns {string[]}
 */
export const sortUniqueStrings = (values) => uniqueValues(values).sort(ascii);

/**
 * Trimmed text entries without repetitions, sorted.
 * @param {Iterable<unknown>} [values]
 * @returns {string[]}
 */
export const normalizeSortedUniqueStringEntries = (values) => normalizeUniqueStringEntries(values).sort(ascii);

/**
 * The trimmed texts of a list; other values count as an empty one.
 * @param {unknown} value
 * @returns {string[]}
 */
export const normalizeTrimmedStringList = (value) => (Array.isArray(value) ? value.map(normalizeOptionalString).filter(Boolean) : []);

/**
 * The same, `undefined` when nothing is left.
 * @param {unknown} value
 * @returns {string[] | undefined}
 */
export const normalizeOptionalTrimmedStringList = (value) => {
  const list = normalizeTrimmedStringList(value);
  return list.length > 0 ? list : undefined;
};

/**
 * The trimmed texts of a list, or of one text.
 * @param {unknown} value
 * @returns {string[]}
 */
export const normalizeSingleOrTrimmedStringList = (value) => (Array.isArray(value) ? normalizeTrimmedStringList(value) : normalizeTrimmedStringList([value]));

/**
 * A member that is text.
 * @param {Record<string, unknown> | null | undefined} record
 * @param {string} key
 * @returns {string | undefined}
 */
export const readStringField = (record, key) => readStringValue(record?.[key]);

const slugInput = (raw) => normalizeLowercaseStringOrEmpty(raw).normalize('NFC');
const trimHyphens = (text) => text.replace(/-{2,}/g, '-').replace(/^-+|-+$/g, '');

/**
 * A name as a slug that keeps `#`, `@`, `.`, `_` and `+`.
 * @param {string | null | undefined} raw
 * @returns {string}
 */
export const normalizeHyphenSlug = (raw) => slugInput(raw).replace(/\s+/g, '-').replace(/[^\p{L}\p{M}\p{N}#@._+-]+/gu, '-').replace(/-{2,}/g, '-').replace(/^[-.]+|[-.]+$/g, '');

/**
 * A name that may begin with `@` or `#` as a slug of letters, digits and hyphens.
 * @param {string | null | undefined} raw
 * @returns {string}
 */
export const normalizeAtHashSlug = (raw) => trimHyphens(slugInput(raw).replace(/^[@#]+/, '').replace(/[\s_]+/g, '-').replace(/[^\p{L}\p{M}\p{N}-]+/gu, '-'));
