// Comparing secrets without telling by the time it takes how much was right.
import { createHash, timingSafeEqual } from 'node:crypto';

const digest = (text) => createHash('sha256').update(text, 'utf8').digest();

/**
 * @param {string | null | undefined} provided
 * @param {string | null | undefined} expected
 * @returns {boolean}
 */
export const safeEqualSecret = (provided, expected) =>
  typeof provided === 'string' && typeof expected === 'string' && timingSafeEqual(digest(provided), digest(expected));
