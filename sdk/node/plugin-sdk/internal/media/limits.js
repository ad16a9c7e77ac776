// Sizes and times that hold for media.
const MB = 1024 * 1024;

export const MAX_IMAGE_BYTES = 6 * MB;
export const MAX_AUDIO_BYTES = 16 * MB;
export const MAX_VIDEO_BYTES = 16 * MB;
export const MAX_DOCUMENT_BYTES = 100 * MB;
export const MEDIA_MAX_BYTES = 5 * MB;
export const DEFAULT_FETCH_MEDIA_MAX_BYTES = MAX_DOCUMENT_BYTES;
export const MAX_IMAGE_INPUT_PIXELS = 25_000_000;
export const IMAGE_REDUCE_QUALITY_STEPS = [85, 75, 65, 55, 45, 35];
export const MEDIA_FFMPEG_MAX_BUFFER_BYTES = 10 * MB;
export const MEDIA_FFMPEG_TIMEOUT_MS = 45_000;
export const MEDIA_FFPROBE_TIMEOUT_MS = 10_000;
export const MEDIA_FFMPEG_MAX_AUDIO_DURATION_SECS = 1200;

/** The most that media of a kind may have, in bytes. @param {string} kind @returns {number} */
export const maxBytesForKind = (kind) => ({ image: MAX_IMAGE_BYTES, audio: MAX_AUDIO_BYTES, video: MAX_VIDEO_BYTES })[kind] ?? MAX_DOCUMENT_BYTES;

/** A `Content-Length` header: `null` without one; a value that is no size is an error. @param {string | null} raw @returns {number | null} */
export function parseMediaContentLength(raw) {
  if (raw === null) return null;
  const size = /^\d+$/.test(raw.trim()) ? Number(raw.trim()) : NaN;
  if (!Number.isSafeInteger(size)) throw new Error(`invalid content-length header: ${raw}`);
  return size;
}

/** How many bytes a base64 text stands for. @param {string} base64 @returns {number} */
export function estimateBase64DecodedBytes(base64) {
  const text = base64.replace(/[\u0000-\u0020]/g, '');
  const padding = text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0;
  return Math.max(0, Math.floor((text.length * 3) / 4) - padding);
}

/** The base64 text without white space; `undefined` for what is none. @param {string} base64 @returns {string | undefined} */
export function canonicalizeBase64(base64) {
  const text = base64.replace(/[\u0000-\u0020]/g, '');
  return text && text.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(text) ? text : undefined;
}
