// Times as platforms write them.

const SECONDS_END = 1e12;

function millisecondsOf(raw) {
  if (raw instanceof Date) return raw.getTime();
  if (typeof raw === 'number') return Math.round(raw < SECONDS_END ? raw * 1000 : raw);
  const text = typeof raw === 'string' ? raw.trim() : '';
  if (!/^\d+(?:\.\d+)?$/.test(text)) return text ? Date.parse(text) : NaN;
  // Whole numbers of 13 digits are milliseconds.
  return Math.round(Number(text) * (text.includes('.') || text.length < 13 ? 1000 : 1));
}

/** A value with `timestampMs` and `timestampUtc`, unless it has them already. Numbers may be seconds or milliseconds. @template T @param {T} value @param {unknown} raw @returns {T} */
export function withNormalizedTimestamp(value, raw) {
  const date = new Date(millisecondsOf(raw));
  if (raw == null || Number.isNaN(date.getTime())) return value;
  return {
    ...value,
    timestampMs: Number.isFinite(value.timestampMs) ? value.timestampMs : date.getTime(),
    timestampUtc: typeof value.timestampUtc === 'string' && value.timestampUtc.trim() ? value.timestampUtc : date.toISOString(),
  };
}
