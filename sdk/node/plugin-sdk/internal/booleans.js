// Yes or no, from untrusted values.
import { normalizeOptionalLowercaseString } from './strings.js';

/**
 * A parameter of a tool that is true or false, or the word for it.
 * @param {Record<string, unknown>} params
 * @param {string} key
 * @returns {boolean | undefined}
 */
export function readBooleanParam(params, key) {
  const value = typeof params[key] === 'boolean' ? String(params[key]) : normalizeOptionalLowercaseString(params[key]);
  return ['true', 'false'].includes(value) ? value === 'true' : undefined;
}
