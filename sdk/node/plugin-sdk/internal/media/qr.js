// QR codes as pictures and as text for terminals.
import path from 'node:path';
import { tempWorkspace } from '../temp-files.js';
import { encodePngRgba, fillPixel } from './png.js';
import { qrModules } from './qr-code.js';

const PREFIX = 'data:image/png;base64,';

function textOf(input) {
  if (typeof input !== 'string') throw new TypeError('QR text must be a string.');
  if (input.length === 0) throw new Error('QR text must not be empty.');
  return input;
}
function integer(name, value, { usual, min, max }) {
  if (value === undefined) return usual;
  if (!Number.isFinite(value)) throw new RangeError(`${name} must be a finite number.`);
  const whole = Math.floor(value);
  if (whole < min || whole > max) throw new RangeError(`${name} must be between ${min} and ${max}.`);
  return whole;
}

/** @param {string} input @param {{scale?: number, marginModules?: number}} [options] pixels of a module, and modules of the margin @returns {Promise<string>} a PNG */
export async function renderQrPngBase64(input, options = {}) {
  const scale = integer('scale', options.scale, { usual: 6, min: 1, max: 12 });
  const margin = integer('marginModules', options.marginModules, { usual: 4, min: 0, max: 16 });
  const modules = qrModules(textOf(input));
  const size = (modules.length + 2 * margin) * scale;
  const pixels = Buffer.alloc(size * size * 4, 0xff);
  modules.forEach((row, y) => row.forEach((dark, x) => {
    for (let dy = 0; dark && dy < scale; dy++) for (let dx = 0; dx < scale; dx++) fillPixel(pixels, (x + margin) * scale + dx, (y + margin) * scale + dy, size, 0, 0, 0);
  }));
  return encodePngRgba(pixels, size, size).toString('base64');
}
/** @param {string} base64 @returns {string} */
export const formatQrPngDataUrl = (base64) => `${PREFIX}${base64}`;
/** @param {string} input @param {{scale?: number, marginModules?: number}} [options] @returns {Promise<string>} */
export const renderQrPngDataUrl = async (input, options) => formatQrPngDataUrl(await renderQrPngBase64(input, options));

/** Two rows of modules in one line of text, light on dark as terminals are. @param {string} input @param {{small?: boolean}} [options] @returns {Promise<string>} */
export async function renderQrTerminal(input, options = {}) {
  const code = qrModules(textOf(input));
  const blank = new Array(code.length + 4).fill(false);
  const rows = [blank, blank, ...code.map((row) => [false, false, ...row, false, false]), blank, blank];
  if (!options.small) return `${rows.map((row) => row.map((dark) => (dark ? '\u001b[40m  \u001b[0m' : '\u001b[47m  \u001b[0m')).join('')).join('\n')}\n`;
  const glyph = (upper, lower) => (upper ? (lower ? ' ' : '▄') : lower ? '▀' : '█');
  return `${Array.from({ length: Math.ceil(rows.length / 2) }, (_, line) => rows[2 * line].map((dark, x) => glyph(dark, rows[2 * line + 1]?.[x] ?? false)).join('')).join('\n')}\n`;
}

function segment(name, value) {
  if (!value || value === '.' || value === '..' || path.basename(value) !== value) throw new RangeError(`${name} must be a non-empty filename segment.`);
  return value;
}
/** @param {string} input @param {{tmpRoot: string, dirPrefix: string, fileName?: string, scale?: number, marginModules?: number}} options @returns {Promise<{filePath: string, dirPath: string, mediaLocalRoots: string[]}>} */
export async function writeQrPngTempFile(input, options) {
  const [prefix, fileName] = [segment('dirPrefix', options.dirPrefix), segment('fileName', options.fileName ?? 'qr.png')];
  const base64 = await renderQrPngBase64(input, options);
  const workspace = await tempWorkspace({ rootDir: options.tmpRoot, prefix });
  try {
    return { filePath: await workspace.write(fileName, Buffer.from(base64, 'base64')), dirPath: workspace.dir, mediaLocalRoots: [workspace.dir] };
  } catch (error) {
    await workspace.cleanup();
    throw error;
  }
}
