// Identifiers that may be logged.
import { createHash } from 'node:crypto';
import { normalizeOptionalString } from './strings.js';

/**
 * The beginning of a SHA-256 digest.
 * @param {string} value
 * @param {number} [length] of hexadecimal digits
 * @returns {string}
 */
export const sha256HexPrefix = (value, length = 12) => createHash('sha256').update(value).digest('hex').slice(0, Math.max(1, Math.floor(length) || 12));

/**
 * A name that stands for an identifier without telling it.
 * @param {string | undefined} value
 * @param {{len?: number}} [options]
 * @returns {string} `-` for nothing
 */
export function redactIdentifier(value, options) {
  const text = normalizeOptionalString(value);
  return text ? `sha256:${sha256HexPrefix(text, options?.len ?? 12)}` : '-';
}
