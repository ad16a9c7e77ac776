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
