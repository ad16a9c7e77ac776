// Times and durations as text.

/**
 * A time zone that this machine knows.
 * @param {string} value
 * @returns {string | undefined}
 */
export function resolveTimezone(value) {
  try {
    new Intl.DateTimeFormat('en-US', { timeZone: value });
    return value;
  } catch {
    return undefined;
  }
}

/**
 * `2026-05-12T10:30Z`, with seconds when asked.
 * @param {Date} date
 * @param {{displaySeconds?: boolean}} [options]
 * @returns {string}
 */
export function formatUtcTimestamp(date, options) {
  const two = (value) => String(value).padStart(2, '0');
  const day = [String(date.getUTCFullYear()).padStart(4, '0'), two(date.getUTCMonth() + 1), two(date.getUTCDate())].join('-');
  const clock = [date.getUTCHours(), date.getUTCMinutes(), ...(options?.displaySeconds ? [date.getUTCSeconds()] : [])].map(two).join(':');
  return `${day}T${clock}Z`;
}

/**
 * `2026-05-12 10:30 GMT+2`, in a time zone.
 * @param {Date} date
 * @param {{timeZone?: string, displaySeconds?: boolean}} [options]
 * @returns {string | undefined} `undefined` when the time zone or the date is invalid
 */
export function formatZonedTimestamp(date, { timeZone, displaySeconds } = {}) {
  try {
    const format = new Intl.DateTimeFormat('en-US', {
      timeZone, hourCycle: 'h23', timeZoneName: 'short', year: 'numeric', month: '2-digit', day: '2-digit', hour: '2-digit', minute: '2-digit',
      ...(displaySeconds ? { second: '2-digit' } : {}),
    });
    const part = Object.fromEntries(format.formatToParts(date).map(({ type, value }) => [type, value]));
    const clock = [part.hour, part.minute, ...(displaySeconds ? [part.second] : [])].join(':');
    const zone = part.timeZoneName?.trim();
    return `${part.year}-${part.month}-${part.day} ${clock}${zone ? ` ${zone}` : ''}`;
  } catch {
    return undefined;
  }
}

/**
 * `1.5s`, or `1.5 seconds`.
 * @param {number} ms
 * @param {{decimals?: number, unit?: 's' | 'seconds'}} [options]
 * @returns {string}
 */
export function formatDurationSeconds(ms, { decimals = 1, unit = 's' } = {}) {
  if (!Number.isFinite(ms)) return 'unknown';
  const fixed = (Math.max(0, ms) / 1000).toFixed(Math.max(0, decimals));
  const short = fixed.includes('.') ? fixed.replace(/\.?0+$/, '') : fixed;
  return unit === 'seconds' ? `${short} seconds` : `${short}s`;
}

/**
 * Milliseconds below a second, else seconds.
 * @param {number} ms
 * @param {{decimals?: number, unit?: 's' | 'seconds'}} [options]
 * @returns {string}
 */
export function formatDurationPrecise(ms, { decimals = 2, unit = 's' } = {}) {
  if (!Number.isFinite(ms)) return 'unknown';
  return ms < 1000 ? `${Math.max(0, Math.round(ms))}ms` : formatDurationSeconds(ms, { decimals, unit });
}

const compactParts = (ms) => {
  const all = Math.round(ms / 1000);
  return { days: Math.floor(all / 86400), hours: Math.floor(all / 3600) % 24, minutes: Math.floor(all / 60) % 60, seconds: all % 60 };
};

/**
 * `2h5m`, the two largest units; `undefined` for nothing.
 * @param {number | null | undefined} ms
 * @param {{spaced?: boolean}} [options]
 * @returns {string | undefined}
 */
export function formatDurationCompact(ms, options) {
  if (!(ms > 0) || !Number.isFinite(ms)) return undefined;
  if (ms < 1000) return `${Math.round(ms)}ms`;
  const { days, hours, minutes, seconds } = compactParts(ms);
  const join = (...parts) => parts.filter(Boolean).join(options?.spaced ? ' ' : '');
  if (days > 0) return join(`${days}d`, hours && `${hours}h`);
  if (hours > 0) return join(`${hours}h`, minutes && `${minutes}m`);
  return minutes > 0 ? join(`${minutes}m`, seconds && `${seconds}s`) : `${seconds}s`;
}

/**
 * One unit, for people: `20ms`, `45s`, `3m`, `2h`, `5d`.
 * @param {number | null | undefined} ms
 * @param {string} [fallback]
 * @returns {string}
 */
export function formatDurationHuman(ms, fallback = 'n/a') {
  if (!Number.isFinite(ms) || ms < 0) return fallback;
  if (ms < 1000) return `${Math.round(ms)}ms`;
  const seconds = Math.round(ms / 1000);
  const minutes = Math.round(seconds / 60);
  const hours = Math.round(minutes / 60);
  if (seconds < 60) return `${seconds}s`;
  if (minutes < 60) return `${minutes}m`;
  return hours < 24 ? `${hours}h` : `${Math.round(hours / 24)}d`;
}

/** How the system writes hours. */
const systemClock = () => (new Intl.DateTimeFormat(undefined, { hour: 'numeric' }).resolvedOptions().hourCycle?.startsWith('h2') ? '24' : '12');
const ordinal = (day) => `${day}${day % 100 >= 11 && day % 100 <= 13 ? 'th' : (['th', 'st', 'nd', 'rd'][day % 10] ?? 'th')}`;

/** @param {string | undefined} preference @returns {'12' | '24'} the user's wish, else the system's way */
export const resolveUserTimeFormat = (preference) => (['12', '24'].includes(preference) ? preference : systemClock());
/** @param {string | undefined} configured @returns {string} the user's zone, else this machine's */
export const resolveUserTimezone = (configured) => (isTimezone(configured?.trim()) ? configured.trim() : Intl.DateTimeFormat().resolvedOptions().timeZone || 'UTC');
/** A day and a time as people say them; `undefined` for a wrong date or zone. @param {Date} date @param {string} timeZone @param {'12' | '24'} format @returns {string | undefined} */
export function formatUserTime(date, timeZone, format) {
  const long = format === '24';
  try {
    const fields = new Intl.DateTimeFormat('en-US', { timeZone, weekday: 'long', year: 'numeric', month: 'long', day: 'numeric', hour: long ? '2-digit' : 'numeric', minute: '2-digit', hourCycle: long ? 'h23' : 'h12' });
    const parts = Object.fromEntries(fields.formatToParts(date).map(({ type, value }) => [type, value]));
    return `${parts.weekday}, ${parts.month} ${ordinal(Number(parts.day))}, ${parts.year} - ${parts.hour}:${parts.minute}${long ? '' : ` ${parts.dayPeriod}`}`;
  } catch {
    return undefined;
  }
}

/** The time as scheduled runs are told it. @param {object} cfg @param {number} nowMs @returns {{userTimezone: string, formattedTime: string, timeLine: string}} */
export function resolveCronStyleNow(cfg, nowMs) {
  const { userTimezone: wanted, timeFormat } = cfg.agents?.defaults ?? {};
  const userTimezone = resolveUserTimezone(wanted);
  const utc = new Date(nowMs).toISOString();
  const formattedTime = formatUserTime(new Date(nowMs), userTimezone, resolveUserTimeFormat(timeFormat)) ?? utc;
  return { userTimezone, formattedTime, timeLine: `Current time: ${formattedTime} (${userTimezone})\nReference UTC: ${utc.replace('T', ' ').slice(0, 16)} UTC` };
}
/** A prompt with that line at its end, once. @param {string} text @param {object} cfg @param {number} nowMs @returns {string} */
export function appendCronStyleCurrentTimeLine(text, cfg, nowMs) {
  const base = text.trimEnd();
  return !base || base.includes('Current time:') ? base : `${base}\n${resolveCronStyleNow(cfg, nowMs).timeLine}`;
}
/** A time in seconds, milliseconds or words. @param {unknown} raw @returns {{timestampMs: number, timestampUtc: string} | undefined} */
export function normalizeTimestamp(raw) {
  const timestampMs = asTime(raw);
  return timestampMs === undefined || !Number.isFinite(timestampMs) ? undefined : { timestampMs, timestampUtc: new Date(timestampMs).toISOString() };
}
function asTime(raw) {
  if (raw instanceof Date) return raw.getTime();
  if (typeof raw === 'number') return Math.round(raw < 1e12 ? raw * 1000 : raw);
  const text = typeof raw === 'string' ? raw.trim() : '';
  if (!/^\d+(?:\.\d+)?$/.test(text)) return text ? Date.parse(text) : undefined;
  return Math.round(!text.includes('.') && text.length >= 13 ? Number(text) : Number(text) * 1000);
}
function isTimezone(zone) {
  try {
    return Boolean(zone) && Boolean(new Intl.DateTimeFormat('en-US', { timeZone: zone }));
  } catch {
    return false;
  }
}
