// Sizes of images, read from their headers.

const png = (bytes) => bytes.length >= 24 && bytes.readUInt32BE(0) === 0x89504e47 && { width: bytes.readUInt32BE(16), height: bytes.readUInt32BE(20) };
const gif = (bytes) => bytes.length >= 10 && bytes.toString('latin1', 0, 3) === 'GIF' && { width: bytes.readUInt16LE(6), height: bytes.readUInt16LE(8) };

function jpeg(bytes) {
  if (bytes.length < 4 || bytes.readUInt16BE(0) !== 0xffd8) return undefined;
  for (let at = 2; at + 9 < bytes.length && bytes[at] === 0xff; ) {
    const marker = bytes[at + 1];
    const frame = marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker);
    if (frame) return { width: bytes.readUInt16BE(at + 7), height: bytes.readUInt16BE(at + 5) };
    at += 2 + bytes.readUInt16BE(at + 2);
  }
  return undefined;
}

function webp(bytes) {
  if (bytes.length < 30 || bytes.toString('latin1', 8, 12) !== 'WEBP') return undefined;
  const kind = bytes.toString('latin1', 12, 16);
  if (kind === 'VP8X') return { width: 1 + bytes.readUIntLE(24, 3), height: 1 + bytes.readUIntLE(27, 3) };
  if (kind === 'VP8 ') return { width: bytes.readUInt16LE(26) & 0x3fff, height: bytes.readUInt16LE(28) & 0x3fff };
  if (kind !== 'VP8L') return undefined;
  const bits = bytes.readUInt32LE(21);
  return { width: (bits & 0x3fff) + 1, height: ((bits >> 14) & 0x3fff) + 1 };
}

/** Width and height of a PNG, JPEG, GIF or WebP image; `null` for anything else. @param {Buffer} buffer @returns {Promise<{ width: number, height: number } | null>} */
export async function getImageMetadata(buffer) {
  const bytes = Buffer.isBuffer(buffer) ? buffer : Buffer.from(buffer);
  const size = png(bytes) || gif(bytes) || jpeg(bytes) || webp(bytes);
  return size && size.width > 0 && size.height > 0 ? size : null;
}

/** Whether a PNG has transparent pixels. @param {Buffer} buffer @returns {Promise<boolean>} */
export async function hasAlphaChannel(buffer) {
  if (!png(buffer)) return false;
  const colour = buffer[25];
  return colour === 4 || colour === 6 || buffer.subarray(0, 4096).includes('tRNS');
}

/** The sides to which an image is made smaller, in pixels, largest first. @param {number} maxSide @param {number} sideStart @returns {number[]} */
export const buildImageResizeSideGrid = (maxSide, sideStart) =>
  [...new Set([sideStart, 1800, 1600, 1400, 1200, 1000, 800].map((side) => Math.min(maxSide, side)))].filter((side) => side > 0).sort((a, b) => b - a);
