// Images inside of `data:` URLs: what they are is read from their bytes, not from their label.

/** How an image that is no link begins. */
export const INLINE_IMAGE_DATA_URL_PREFIX = 'data:';
const SIGNATURES = [['image/png', /^89504e470d0a1a0a/], ['image/jpeg', /^ffd8ff/], ['image/webp', /^52494646.{8}57454250/], ['image/gif', /^47494638(?:37|39)61/], ['image/bmp', /^424d/]];
const BRANDS = [['image/heic', ['heic', 'heix', 'hevc', 'hevx', 'heis', 'heim', 'hevm', 'hevs']], ['image/heif', ['mif1', 'msf1']]];
const ALLOWED = new Set(['image/png', 'image/jpeg', 'image/webp', 'image/gif']);
/** So many characters of base64 are enough to know an image. */
const HEAD = 128;

/**
 * The type of an image.
 * @param {Buffer} buffer
 * @returns {string | undefined}
 */
export function sniffInlineImageMime(buffer) {
  const head = buffer.subarray(0, 16).toString('hex');
  const known = SIGNATURES.find(([, pattern]) => pattern.test(head))?.[0];
  if (known || buffer.length < 12 || buffer.toString('latin1', 4, 8) !== 'ftyp') return known;
  const found = [buffer.toString('latin1', 8, 12)];
  for (let at = 16; at + 4 <= buffer.length; at += 4) found.push(buffer.toString('latin1', at, at + 4));
  return BRANDS.find(([, brands]) => found.some((brand) => brands.includes(brand)))?.[0];
}

/** Base64 without spaces and with its padding; `undefined` for anything else. */
function canonical(text) {
  const plain = text.replace(/\s+/g, '');
  return plain && plain.length % 4 === 0 && /^[A-Za-z0-9+/]+={0,2}$/.test(plain) ? plain : undefined;
}

/**
 * A `data:` URL of an image with the type that it has; links stay as they are.
 * @param {string} imageUrl
 * @returns {string | undefined} `undefined` for what is no image that models take
 */
export function sanitizeInlineImageDataUrl(imageUrl) {
  if (imageUrl.slice(0, 5).toLowerCase() !== INLINE_IMAGE_DATA_URL_PREFIX) return imageUrl;
  const comma = imageUrl.indexOf(',');
  const [type, ...options] = imageUrl.slice(5, Math.max(comma, 5)).split(';').map((part) => part.trim().toLowerCase());
  if (comma < 0 || !type.startsWith('image/') || !options.includes('base64')) return undefined;
  const payload = canonical(imageUrl.slice(comma + 1));
  const mime = payload && sniffInlineImageMime(Buffer.from(payload.slice(0, HEAD), 'base64'));
  return mime && ALLOWED.has(mime) ? `data:${mime};base64,${payload}` : undefined;
}
