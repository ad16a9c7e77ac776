// Numbers, durations and time stamps from untrusted values.

/** The largest delay that a Node timer takes, in milliseconds. */
export const MAX_TIMER_TIMEOUT_MS = 2_147_000_000;
/** The largest time stamp that a `Date` takes. */
export const MAX_DATE_TIMESTAMP_MS = 8_640_000_000_000_000;
export const MAX_TIMER_TIMEOUT_SECONDS = Math.floor(MAX_TIMER_TIMEOUT_MS / 1000);
export const MAX_TCP_PORT = 65535;

export const asFiniteNumber = (value) => (typeof value === 'number' && Number.isFinite(value) ? value : undefined);
export const asPositiveSafeInteger = (value) => (Number.isSafeInteger(value) && value > 0 ? value : undefined);

/** A safe integer within inclusive bounds. */
export function asSafeIntegerInRange(value, { min = -Infinity, max = Infinity } = {}) {
  return Number.isSafeInteger(value) && value >= min && value <= max ? value : undefined;
}

/** A finite number within bounds, each of which may be exclusive. */
export function asFiniteNumberInRange(value, { min, max, minExclusive, maxExclusive } = {}) {
  const number = asFiniteNumber(value);
  if (number === undefined) return undefined;
  if (min !== undefined && (minExclusive ? number <= min : number < min)) return undefined;
  if (max !== undefined && (maxExclusive ? number >= max : number > max)) return undefined;
  return number;
}

export const asDateTimestampMs = (value) => asFiniteNumberInRange(value, { min: -MAX_DATE_TIMESTAMP_MS, max: MAX_DATE_TIMESTAMP_MS });

/** An ISO text, or `undefined` for what is no time stamp. */
export function timestampMsToIsoString(value) {
  const time = asDateTimestampMs(value);
  return time === undefined ? undefined : new Date(time).toISOString();
}

/** A number, or text that is nothing but a decimal number. */
export function parseStrictFiniteNumber(value) {
  if (typeof value === 'string') return /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i.test(value.trim()) ? asFiniteNumber(Number(value.trim())) : undefined;
  return asFiniteNumber(value);
}

/** An integer, or text that is nothing but an integer. */
export function parseStrictInteger(value) {
  const number = typeof value === 'string' && /^[+-]?\d+$/.test(value.trim()) ? Number(value.trim()) : value;
  return Number.isSafeInteger(number) ? number : undefined;
}

export function parseStrictNonNegativeInteger(value) {
  const number = parseStrictInteger(value);
  return number !== undefined && number >= 0 ? number : undefined;
}

export function parseStrictPositiveInteger(value) {
  const number = parseStrictInteger(value);
  return number !== undefined && number > 0 ? number : undefined;
}

/** A delay for a timer: the value, else the fallback, floored and kept within what a timer takes. */
export function resolveTimerTimeoutMs(valueMs, fallbackMs, minMs = 1) {
  const least = Math.max(0, Math.floor(minMs));
  const value = asFiniteNumber(valueMs) ?? asFiniteNumber(fallbackMs);
  return value === undefined ? least : Math.min(Math.max(Math.floor(value), least), MAX_TIMER_TIMEOUT_MS);
}

/** When something that lasts so long from now ends; `undefined` when that is no time. */
export function resolveExpiresAtMsFromDurationMs(value, { nowMs = Date.now(), bufferMs = 0, minRemainingMs } = {}) {
  const duration = asPositiveSafeInteger(value);
  const now = asDateTimestampMs(nowMs);
  const buffer = asFiniteNumber(bufferMs);
  if (duration === undefined || now === undefined || buffer === undefined) return undefined;
  const isTime = (time) => Number.isSafeInteger(time) && asDateTimestampMs(time) !== undefined;
  const end = now + duration - buffer;
  if (!isTime(end)) return undefined;
  if (minRemainingMs === undefined || !isTime(now + minRemainingMs)) return end;
  return Math.max(end, now + minRemainingMs);
}

/**
 * A number, or text that is nothing but a decimal number.
 * @param {unknown} value
 * @returns {number | undefined}
 */
export const parseFiniteNumber = (value) => parseStrictFiniteNumber(value);

/**
 * A port from configuration or a command line.
 * @param {unknown} raw
 * @returns {number | null}
 */
export function parseTcpPort(raw) {
  const port = parseStrictPositiveInteger(raw);
  return port !== undefined && port <= MAX_TCP_PORT ? port : null;
}

/**
 * A delay for a timer, floored and kept within what a timer takes.
 * @param {unknown} valueMs
 * @param {number} [minMs]
 * @returns {number | undefined} `undefined` for what is no number
 */
export function clampTimerTimeoutMs(valueMs, minMs = 1) {
  const value = asFiniteNumber(valueMs);
  return value === undefined ? undefined : resolveTimerTimeoutMs(value, value, Math.max(1, minMs));
}

/**
 * The same for delays above zero.
 * @param {unknown} valueMs
 * @returns {number | undefined}
 */
export const clampPositiveTimerTimeoutMs = (valueMs) => (asFiniteNumber(valueMs) > 0 ? clampTimerTimeoutMs(valueMs) : undefined);

/**
 * A delay above zero, else the fallback.
 * @param {unknown} valueMs
 * @param {number} fallbackMs
 * @returns {number}
 */
export const resolvePositiveTimerTimeoutMs = (valueMs, fallbackMs) => clampPositiveTimerTimeoutMs(valueMs) ?? resolveTimerTimeoutMs(fallbackMs, 1);

/**
 * A delay with some grace on top.
 * @param {unknown} timeoutMs
 * @param {number} [graceMs]
 * @returns {number | undefined}
 */
export function addTimerTimeoutGraceMs(timeoutMs, graceMs = 5000) {
  const [timeout, grace] = [asFiniteNumber(timeoutMs), asFiniteNumber(graceMs)];
  if (timeout === undefined || grace === undefined) return undefined;
  return clampTimerTimeoutMs(timeout + grace) ?? MAX_TIMER_TIMEOUT_MS;
}

/**
 * Seconds above zero as milliseconds that a timer takes.
 * @param {unknown} value
 * @param {{floorSeconds?: boolean}} [options]
 * @returns {number | undefined}
 */
export function finiteSecondsToTimerSafeMilliseconds(value, { floorSeconds = false } = {}) {
  const seconds = asFiniteNumber(value);
  if (seconds === undefined) return undefined;
  const ms = Math.floor((floorSeconds ? Math.floor(seconds) : seconds) * 1000);
  return Number.isFinite(ms) && ms > 0 ? Math.min(ms, MAX_TIMER_TIMEOUT_MS) : undefined;
}

const wholeSeconds = (seconds) => (seconds !== undefined && Number.isSafeInteger(seconds * 1000) ? seconds * 1000 : undefined);

/**
 * Whole seconds, zero included, as milliseconds.
 * @param {unknown} value
 * @returns {number | undefined}
 */
export const nonNegativeSecondsToSafeMilliseconds = (value) => wholeSeconds(parseStrictNonNegativeInteger(value));

/**
 * Whole seconds above zero as milliseconds.
 * @param {unknown} value
 * @returns {number | undefined}
 */
export const positiveSecondsToSafeMilliseconds = (value) => wholeSeconds(parseStrictPositiveInteger(value));

/**
 * Whether a time stamp lies after now.
 * @param {unknown} value
 * @param {{nowMs?: number}} [options]
 * @returns {boolean}
 */
export function isFutureDateTimestampMs(value, { nowMs } = {}) {
  const [time, now] = [asDateTimestampMs(value), asDateTimestampMs(nowMs ?? Date.now())];
  return time !== undefined && now !== undefined && time > now;
}

/**
 * A time stamp, else the fallback, else 0.
 * @param {unknown} value
 * @param {number} [fallbackValue]
 * @returns {number}
 */
export const resolveDateTimestampMs = (value, fallbackValue = Date.now()) => asDateTimestampMs(value) ?? asDateTimestampMs(fallbackValue) ?? 0;

/**
 * A time stamp as ISO text, else the fallback's, else that of 1970.
 * @param {unknown} value
 * @param {number} [fallbackValue]
 * @returns {string}
 */
export const resolveTimestampMsToIsoString = (value, fallbackValue = Date.now()) => new Date(resolveDateTimestampMs(value, fallbackValue)).toISOString();

/**
 * When something that lasts so many seconds from now ends.
 * @param {unknown} value
 * @param {object} [options] as of `resolveExpiresAtMsFromDurationMs`
 * @returns {number | undefined}
 */
export const resolveExpiresAtMsFromDurationSeconds = (value, options) => resolveExpiresAtMsFromDurationMs(positiveSecondsToSafeMilliseconds(value), options);

/**
 * An expiry in seconds since 1970 as milliseconds.
 * @param {unknown} value
 * @param {{bufferMs?: number, maxMs?: number}} [options]
 * @returns {number | undefined}
 */
export function resolveExpiresAtMsFromEpochSeconds(value, { bufferMs = 0, maxMs = Infinity } = {}) {
  const epoch = asFiniteNumber(value) > 0 ? Math.trunc(value) * 1000 : positiveSecondsToSafeMilliseconds(value);
  const end = epoch === undefined ? undefined : epoch - bufferMs;
  return Number.isSafeInteger(end) && asDateTimestampMs(end) !== undefined && end <= maxMs ? end : undefined;
}

/**
 * An expiry that may be a duration in seconds, a time in seconds or one in milliseconds; its size tells which.
 * @param {unknown} value
 * @param {{nowMs?: number, relativeSecondsThreshold?: number, absoluteMillisecondsThreshold?: number}} [options]
 * @returns {number | undefined}
 */
export function resolveExpiresAtMsFromDurationOrEpoch(value, { nowMs, relativeSecondsThreshold = 1e9, absoluteMillisecondsThreshold = 1e12 } = {}) {
  const number = parseStrictPositiveInteger(value);
  if (number === undefined) return undefined;
  if (number < relativeSecondsThreshold) return resolveExpiresAtMsFromDurationSeconds(number, { nowMs });
  return number < absoluteMillisecondsThreshold ? resolveExpiresAtMsFromEpochSeconds(number) : asDateTimestampMs(number);
}

/**
 * An integer option within bounds.
 * @param {unknown} value
 * @param {number} fallback
 * @param {{min?: number, max?: number}} [range]
 * @returns {number}
 */
export function resolveIntegerOption(value, fallback, { min = -Infinity, max = Infinity } = {}) {
  return Math.min(max, Math.max(min, Math.floor(asFiniteNumber(value) ?? fallback)));
}

/**
 * The same without values below zero.
 * @param {unknown} value
 * @param {number} fallback
 * @returns {number}
 */
export const resolveNonNegativeIntegerOption = (value, fallback) => resolveIntegerOption(value, fallback, { min: 0 });

/**
 * The same when there is a value.
 * @param {unknown} value
 * @param {{min?: number, max?: number}} [range]
 * @returns {number | undefined}
 */
export const resolveOptionalIntegerOption = (value, range) => (asFiniteNumber(value) === undefined ? undefined : resolveIntegerOption(value, value, range));

/** A number of seconds of at least one, as long as a timer can wait. @param {unknown} value @param {number} fallback @returns {number} */
export const resolvePositiveTimeoutSeconds = (value, fallback) => Math.min(MAX_TIMER_TIMEOUT_SECONDS, Math.max(1, Math.floor(asFiniteNumber(value) > 0 ? value : fallback)));
/** How long a service may take by its own setting. @param {unknown} timeoutMs @returns {number | undefined} */
export const resolveMediaProviderDefaultTimeoutMs = (timeoutMs) => (asFiniteNumber(timeoutMs) > 0 ? clampTimerTimeoutMs(timeoutMs) : undefined);
/** How long a request may take: its own time, else that of its service. @param {{timeoutMs?: number, providerDefaultTimeoutMs?: number}} params @returns {number | undefined} */
export const resolveMediaProviderRequestTimeoutMs = ({ timeoutMs, providerDefaultTimeoutMs }) => resolveMediaProviderDefaultTimeoutMs(timeoutMs) ?? resolveMediaProviderDefaultTimeoutMs(providerDefaultTimeoutMs);
