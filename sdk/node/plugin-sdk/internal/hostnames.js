// Host names in one spelling.
import { normalizeLowercaseStringOrEmpty } from './strings.js';

/**
 * A host name in lower case, without a final dot or brackets.
 * @param {unknown} hostname
 * @returns {string}
 */
export const normalizeHostname = (hostname) => normalizeLowercaseStringOrEmpty(hostname).replace(/\.$/, '').replace(/^\[(.*)\]$/, '$1');
