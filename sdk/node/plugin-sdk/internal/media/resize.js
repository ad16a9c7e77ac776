// Pictures are made smaller by the host.
import { peer, plugins } from '../../../worker/state.js';
import { formatErrorMessage } from '../error-text.js';

function ask(name, params) {
  if (!peer) throw Object.assign(new Error('pictures are made smaller by the gateway; this works only inside a plugin worker'), { code: 'NOT_BUILT' });
  return peer.request(`host.media.${name}`, { pluginId: plugins.size === 1 ? plugins.keys().next().value : undefined, args: [params] });
}

/**
 * A picture as JPEG, no side longer than `maxSide`.
 * @param {{buffer: Buffer, maxSide: number, quality: number, withoutEnlargement?: boolean}} params
 * @returns {Promise<Buffer>}
 */
export const resizeToJpeg = (params) => ask('resizeToJpeg', params);

/**
 * A picture as PNG, no side longer than `maxSide`; what is transparent stays so. The gateway packs every PNG alike, whatever `compressionLevel` says.
 * @param {{buffer: Buffer, maxSide: number, compressionLevel?: number, withoutEnlargement?: boolean}} params
 * @returns {Promise<Buffer>}
 */
export const resizeToPng = ({ buffer, maxSide, withoutEnlargement }) => ask('resizeToPng', { buffer, maxSide, quality: 0, withoutEnlargement });

/** Longest sides that are tried, largest first. */
const SIDES = [2048, 1536, 1280, 1024, 800];
/** JPEG qualities that are tried for each. */
const QUALITIES = [80, 70, 60, 50, 40];
/** What of several failures is told. */
const REASONS = 3;

/** The first result that fits, else the smallest; `undefined` when none could be made. */
async function firstThatFits(maxBytes, steps, make, failed) {
  let smallest;
  for (const step of steps) {
    try {
      const buffer = await make(step);
      const made = { buffer, optimizedSize: buffer.length, ...step };
      if (buffer.length <= maxBytes) return made;
      if (!smallest || made.optimizedSize < smallest.optimizedSize) smallest = made;
    } catch (error) {
      failed(error);
    }
  }
  return smallest;
}

/**
 * A picture as JPEG of at most `maxBytes` bytes, or the smallest that can be made. HEIC cannot be read here.
 * @param {Buffer} buffer @param {number} maxBytes @param {{contentType?: string, fileName?: string}} [_options]
 * @returns {Promise<{buffer: Buffer, optimizedSize: number, resizeSide: number, quality: number}>}
 */
export async function optimizeImageToJpeg(buffer, maxBytes, _options) {
  const errors = [];
  const steps = SIDES.flatMap((resizeSide) => QUALITIES.map((quality) => ({ resizeSide, quality })));
  const make = ({ resizeSide, quality }) => resizeToJpeg({ buffer, maxSide: resizeSide, quality, withoutEnlargement: true });
  const made = await firstThatFits(maxBytes, steps, make, (error) => errors.push(error));
  if (made) return made;
  const reasons = [...new Set(errors.map((error) => formatErrorMessage(error).trim()).filter(Boolean))].slice(0, REASONS);
  throw new Error(['Failed to optimize image', reasons.join('; ')].filter(Boolean).join(': '), { cause: errors[0] });
}

/** The level that results name: the gateway packs every PNG alike. */
const LEVEL = 6;

/**
 * A picture as PNG of at most `maxBytes` bytes, or the smallest that can be made.
 * @param {Buffer} buffer @param {number} maxBytes
 * @returns {Promise<{buffer: Buffer, optimizedSize: number, resizeSide: number, compressionLevel: number}>}
 */
export async function optimizeImageToPng(buffer, maxBytes) {
  let cause;
  const steps = SIDES.map((resizeSide) => ({ resizeSide, compressionLevel: LEVEL }));
  const made = await firstThatFits(maxBytes, steps, ({ resizeSide }) => resizeToPng({ buffer, maxSide: resizeSide, withoutEnlargement: true }), (error) => { cause ??= error; });
  if (made) return made;
  throw new Error('Failed to optimize PNG image', { cause });
}
