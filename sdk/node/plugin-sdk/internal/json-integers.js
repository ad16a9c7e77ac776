// JSON of services that write integers which a double cannot hold: they are read as text.
import { isRecord } from './strings.js';

const TOKEN = /"(?:[^"\\]|\\[\s\S])*(?:"|$)|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;
const isUnsafe = (token) => /^-?\d+$/.test(token) && !Number.isSafeInteger(Number(token));

/**
 * Puts integers beyond the safe range of a number into quotes.
 * @param {string} input JSON
 * @returns {string} JSON
 */
export const quoteUnsafeIntegerLiterals = (input) => input.replace(TOKEN, (token) => (isUnsafe(token) ? `"${token}"` : token));

/**
 * Parses JSON; integers beyond the safe range become text.
 * @param {string} input
 * @returns {unknown}
 */
export const parseJsonPreservingUnsafeIntegers = (input) => JSON.parse(quoteUnsafeIntegerLiterals(input));

/**
 * The object that a value is, or whose JSON it is.
 * @param {unknown} value
 * @returns {Record<string, unknown> | null}
 */
export function parseJsonObjectPreservingUnsafeIntegers(value) {
  if (typeof value !== 'string') return isRecord(value) ? value : null;
  try {
    const parsed = parseJsonPreservingUnsafeIntegers(value);
    return isRecord(parsed) ? parsed : null;
  } catch {
    return null;
  }
}
