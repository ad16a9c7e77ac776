// Random ids and tokens that nobody can guess.
import { randomBytes, randomInt, randomUUID } from 'node:crypto';

/**
 * @returns {string} a UUID of version 4
 */
export const generateSecureUuid = () => randomUUID();

/**
 * @param {number} [bytes] how much randomness
 * @returns {string} base64url
 */
export const generateSecureToken = (bytes = 16) => randomBytes(bytes).toString('base64url');

/**
 * @param {number} [bytes]
 * @returns {string} hexadecimal
 */
export const generateSecureHex = (bytes = 16) => randomBytes(bytes).toString('hex');

/**
 * @returns {number} from 0 up to, not including, 1
 */
export const generateSecureFraction = () => randomBytes(4).readUInt32BE() / 2 ** 32;

/**
 * @param {number} a the limit, or the least value when `b` is given
 * @param {number} [b] the limit, not included
 * @returns {number} a whole number
 */
export const generateSecureInt = (a, b) => (b === undefined ? randomInt(a) : randomInt(a, b));
