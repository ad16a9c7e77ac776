// PNG files from pixels.
import { crc32, deflateSync } from 'node:zlib';

const SIGNATURE = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);

function chunk(type, data) {
  const head = Buffer.alloc(8);
  head.writeUInt32BE(data.length);
  head.write(type, 4, 'ascii');
  const tail = Buffer.alloc(4);
  tail.writeUInt32BE(crc32(data, crc32(head.subarray(4))));
  return Buffer.concat([head, data, tail]);
}

function encode(pixels, width, height, bytes, colour) {
  const head = Buffer.alloc(13);
  head.writeUInt32BE(width);
  head.writeUInt32BE(height, 4);
  head[8] = 8;
  head[9] = colour;
  const stride = width * bytes;
  const rows = Buffer.alloc((stride + 1) * height);
  for (let row = 0; row < height; row++) pixels.copy(rows, row * (stride + 1) + 1, row * stride, (row + 1) * stride);
  return Buffer.concat([SIGNATURE, chunk('IHDR', head), chunk('IDAT', deflateSync(rows)), chunk('IEND', Buffer.alloc(0))]);
}

/** @param {Buffer} pixels red, green, blue and alpha of each @param {number} width @param {number} height @returns {Buffer} */
export const encodePngRgba = (pixels, width, height) => encode(pixels, width, height, 4, 6);
/** @param {Buffer} pixels red, green and blue of each @param {number} width @param {number} height @returns {Buffer} */
export const encodePngRgb = (pixels, width, height) => encode(pixels, width, height, 3, 2);
/** Sets a pixel; one outside is left alone. @param {Buffer} pixels @param {number} x @param {number} y @param {number} width @param {number} r @param {number} g @param {number} b @param {number} [a] @returns {void} */
export function fillPixel(pixels, x, y, width, r, g, b, a = 255) {
  const at = (y * width + x) * 4;
  if (x < 0 || y < 0 || x >= width || at + 3 >= pixels.length) return;
  pixels.set([r, g, b, a], at);
}
