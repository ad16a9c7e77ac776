// Lengths of time, sizes and command lines that people write.

const UNITS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const SIZES = { b: 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3, t: 1024 ** 4 };

/**
 * Milliseconds from `500`, `5m` or `1h30m`.
 * @param {string} raw @param {{defaultUnit?: 'ms' | 's' | 'm' | 'h' | 'd'}} [options] unit of a number without one
 * @returns {number} @throws for anything else
 */
export function parseDurationMs(raw, options) {
  const value = typeof raw === 'string' ? raw.trim().toLowerCase() : '';
  if (!value) throw new Error('invalid duration (empty)');
  const total = /^\d+(?:\.\d+)?$/.test(value)
    ? Number(value) * (UNITS[options?.defaultUnit ?? 'ms'] ?? 1)
    : /^(?:\d+(?:\.\d+)?(?:ms|[smhd]))+$/.test(value)
      ? [...value.matchAll(/(\d+(?:\.\d+)?)(ms|[smhd])/g)].reduce((sum, [, count, unit]) => sum + Number(count) * UNITS[unit], 0)
      : Number.NaN;
  if (!Number.isFinite(total)) throw new Error(`invalid duration: ${raw}`);
  return Math.round(total);
}

/** Bytes from a number or from `10kb`, `1.5 MB`, `2g`; else `null`. @param {unknown} value @returns {number | null} */
export function parseNonNegativeByteSize(value) {
  if (typeof value === 'number' && Number.isFinite(value)) return value >= 0 ? Math.floor(value) : null;
  const [, count, unit = 'b'] = (typeof value === 'string' && /^(\d+(?:\.\d+)?)(b|[kmgt]b?)?$/.exec(value.trim().toLowerCase())) || [];
  const bytes = count === undefined ? Number.NaN : Math.round(Number(count) * SIZES[unit[0]]);
  return Number.isFinite(bytes) ? bytes : null;
}

/** The words of a command line, or `null` when a quote does not end. A comment ends the line. @param {string} raw @returns {string[] | null} */
export function splitShellArgs(raw) {
  const words = [];
  const part = /\\([\s\S])|'([^']*)'|"((?:[^"\\]|\\[\s\S])*)"|(\s+)|(#)|([^\\'"])/gy;
  let word = '';
  while (part.lastIndex < raw.length) {
    const match = part.exec(raw);
    if (!match) return null;
    const [, escaped, single, double, space, hash, plain] = match;
    if (hash && word === '') break;
    if (space === undefined) word += escaped ?? single ?? double?.replace(/\\([\\"$`\r\n])/g, '$1') ?? hash ?? plain;
    else if (word !== '') words.push(word);
    if (space !== undefined) word = '';
  }
  return word === '' ? words : [...words, word];
}

/** A tool's parameters as a record. @param {unknown} params @returns {Record<string, any>} */
export const asToolParamsRecord = (params) => (params && typeof params === 'object' && !Array.isArray(params) ? params : {});

/** A model's reasoning as it is shown: under a heading, in italics. @param {string} text @returns {string} */
export const formatReasoningMessage = (text) => (text.trim() ? `Reasoning:\n${text.trim().split('\n').map((line) => line && `_${line}_`).join('\n')}` : '');

/** Tokens kept free when a session is made shorter, at least. */
export const DEFAULT_PI_COMPACTION_RESERVE_TOKENS_FLOOR = 20_000;
/** The same under its newer name. */
export const DEFAULT_AGENT_COMPACTION_RESERVE_TOKENS_FLOOR = DEFAULT_PI_COMPACTION_RESERVE_TOKENS_FLOOR;
