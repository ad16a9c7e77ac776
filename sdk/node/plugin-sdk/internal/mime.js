// Kinds of media.
import path from 'node:path';

/** How much of a file is looked at for its kind, in bytes. */
export const FILE_TYPE_SNIFF_MAX_BYTES = 1_048_576;

const SIGNATURES = [
  ['image/png', [0x89, 0x50, 0x4e, 0x47]], ['image/jpeg', [0xff, 0xd8, 0xff]], ['image/gif', [0x47, 0x49, 0x46, 0x38]],
  ['image/bmp', [0x42, 0x4d]], ['image/tiff', [0x49, 0x49, 0x2a, 0x00]], ['image/tiff', [0x4d, 0x4d, 0x00, 0x2a]],
  ['application/pdf', [0x25, 0x50, 0x44, 0x46]], ['audio/mpeg', [0x49, 0x44, 0x33]], ['audio/flac', [0x66, 0x4c, 0x61, 0x43]],
  ['audio/x-caf', [0x63, 0x61, 0x66, 0x66]], ['video/x-flv', [0x46, 0x4c, 0x56, 0x01]],
  ['application/gzip', [0x1f, 0x8b]], ['application/x-7z-compressed', [0x37, 0x7a, 0xbc, 0xaf, 0x27, 0x1c]],
  ['application/x-rar-compressed', [0x52, 0x61, 0x72, 0x21, 0x1a, 0x07]], ['application/x-cfb', [0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1]],
];

/** Kinds with their usual extension; the first kind of an extension is the one that it stands for. */
const KINDS = `image/heic heic|image/heif heif|image/bmp bmp|image/jpg jpg|image/jpeg jpg|image/png png|image/svg+xml svg|image/webp webp
image/gif gif|audio/ogg ogg|audio/mpeg mp3|audio/mp3 mp3|audio/wav wav|audio/wave wav|audio/x-wav wav|audio/flac flac|audio/aac aac
audio/opus opus|audio/webm webm|audio/x-m4a m4a|audio/mp4 m4a|audio/x-caf caf|video/x-msvideo avi|video/mp4 mp4|video/x-matroska mkv
video/webm webm|video/x-flv flv|video/x-ms-wmv wmv|video/quicktime mov|application/pdf pdf|application/json json|application/zip zip
application/gzip gz|application/x-tar tar|application/x-7z-compressed 7z|application/vnd.rar rar|application/msword doc
application/vnd.ms-excel xls|application/vnd.ms-powerpoint ppt|application/vnd.openxmlformats-officedocument.wordprocessingml.document docx
application/vnd.openxmlformats-officedocument.spreadsheetml.sheet xlsx|application/vnd.openxmlformats-officedocument.presentationml.presentation pptx
text/csv csv|text/plain txt|text/markdown md|text/html html|text/xml xml|text/css css|application/xml xml`
  .split(/[|\n]/)
  .map((row) => row.split(' '));
const EXTENSION_OF = new Map(KINDS.map(([mime, extension]) => [mime, `.${extension}`]));
const MIME_OF = new Map();
for (const [mime, extension] of KINDS) if (!MIME_OF.has(`.${extension}`)) MIME_OF.set(`.${extension}`, mime);
for (const [extension, mime] of [
  ['.jpg', 'image/jpeg'], ['.jpeg', 'image/jpeg'], ['.webm', 'video/webm'], ['.js', 'text/javascript'], ['.log', 'text/plain'], ['.htm', 'text/html'],
]) MIME_OF.set(extension, mime);

const bytesOf = (buffer) => (Buffer.isBuffer(buffer) ? buffer : Buffer.from(buffer.buffer ?? buffer, buffer.byteOffset ?? 0, buffer.byteLength));

/** The kind that the bytes themselves tell, or `undefined`. @param {Uint8Array} [buffer] @returns {string | undefined} */
export function sniffMime(buffer) {
  if (!buffer || buffer.byteLength < 2) return undefined;
  const bytes = bytesOf(buffer);
  const tag = (from, to) => bytes.subarray(from, to).toString('latin1');
  if (tag(0, 4) === 'RIFF') return { WEBP: 'image/webp', WAVE: 'audio/wav', 'AVI ': 'video/x-msvideo' }[tag(8, 12)];
  if (tag(4, 8) === 'ftyp') return brand(tag(8, 12));
  if (tag(0, 4) === 'OggS') return /OpusHead/.test(tag(28, 36)) ? 'audio/ogg' : /theora/.test(tag(28, 36)) ? 'video/ogg' : 'audio/ogg';
  if (tag(0, 4) === '\x1aE\xdf\xa3') return tag(0, 64).includes('matroska') ? 'video/x-matroska' : 'video/webm';
  if (tag(0, 4) === 'PK\x03\x04') return office(bytes);
  if (tag(257, 262) === 'ustar') return 'application/x-tar';
  if (bytes[0] === 0xff && (bytes[1] & 0xe0) === 0xe0) return (bytes[1] & 0x16) === 0x10 ? 'audio/aac' : (bytes[1] & 0x06) !== 0 ? 'audio/mpeg' : sniffTable(bytes);
  return sniffTable(bytes);
}

const sniffTable = (bytes) => SIGNATURES.find(([, magic]) => magic.every((byte, index) => bytes[index] === byte))?.[0];
const brand = (name) => {
  const key = name.trim();
  return { M4A: 'audio/x-m4a', M4B: 'audio/mp4', heic: 'image/heic', heix: 'image/heic', mif1: 'image/heif', avif: 'image/avif', qt: 'video/quicktime', '3gp4': 'video/3gpp', '3gp5': 'video/3gpp' }[key] ?? 'video/mp4';
};
function office(bytes) {
  const head = bytes.subarray(0, 4096).toString('latin1');
  const part = ['word/', 'xl/', 'ppt/'].find((name) => head.includes(name));
  const extension = { 'word/': '.docx', 'xl/': '.xlsx', 'ppt/': '.pptx' }[part];
  return extension ? MIME_OF.get(extension) : 'application/zip';
}

/** A kind in canonical form. @param {string | null} [mime] @returns {string | undefined} */
export function normalizeMimeType(mime) {
  const type = mime?.split(';')[0].trim().toLowerCase();
  return type === 'image/apng' ? 'image/png' : type || undefined;
}

/** The extension of a path or address with its dot, in lower case. @param {string | null} [filePath] @returns {string | undefined} */
export function getFileExtension(filePath) {
  if (!filePath) return undefined;
  const name = /^https?:\/\//i.test(filePath) && URL.canParse(filePath) ? new URL(filePath).pathname : filePath;
  return path.extname(name).toLowerCase() || undefined;
}

/** The usual extension of a kind. @param {string | null} [mime] @returns {string | undefined} */
export const extensionForMime = (mime) => EXTENSION_OF.get(normalizeMimeType(mime));

/** The kind that a file name tells. @param {string | null} [filePath] @returns {string | undefined} */
export const mimeTypeFromFilePath = (filePath) => MIME_OF.get(getFileExtension(filePath));

const generic = (type) => !type || type === 'application/octet-stream' || type === 'application/zip';

/** The kind by content, then name, then header. @param {{ buffer?: Uint8Array, headerMime?: string | null, filePath?: string }} [input] @returns {Promise<string | undefined>} */
export async function detectMime({ buffer, headerMime, filePath } = {}) {
  const found = sniffMime(buffer && sliceMimeSniffBuffer(buffer));
  const named = mimeTypeFromFilePath(filePath);
  const header = normalizeMimeType(headerMime);
  if (found && (!generic(found) || !named)) return found;
  return named ?? (generic(header) ? found ?? header : header);
}

/** The part of a file that is looked at. @param {Uint8Array} buffer @returns {Uint8Array} */
export const sliceMimeSniffBuffer = (buffer) => (buffer.byteLength > FILE_TYPE_SNIFF_MAX_BYTES ? buffer.subarray(0, FILE_TYPE_SNIFF_MAX_BYTES) : buffer);

/** `image`, `audio`, `video` or `document`. @param {string | null} [mime] @returns {string | undefined} */
export function mediaKindFromMime(mime) {
  const family = mime?.split('/')[0];
  if (!family || !mime.includes('/')) return undefined;
  if (['image', 'audio', 'video'].includes(family)) return family;
  return family === 'text' || family === 'application' ? 'document' : undefined;
}

/** The same for a header's value. @param {string | null} [mime] @returns {string | undefined} */
export const kindFromMime = (mime) => mediaKindFromMime(normalizeMimeType(mime));

/** The kind of an image format's name. @param {string | null} [format] @returns {string | undefined} */
export function imageMimeFromFormat(format) {
  const name = format?.toLowerCase();
  if (name === 'jpg') return 'image/jpeg';
  return ['jpeg', 'heic', 'heif', 'png', 'webp', 'gif'].includes(name) ? `image/${name}` : undefined;
}

export const VOICE_MESSAGE_MIME_TYPES = new Set(['audio/ogg', 'audio/opus', 'audio/mpeg', 'audio/mp3', 'audio/mp4', 'audio/x-m4a', 'audio/m4a']);
export const VOICE_MESSAGE_AUDIO_EXTENSIONS = new Set(['.oga', '.ogg', '.opus', '.mp3', '.m4a']);
const AUDIO_EXTENSIONS = new Set([...VOICE_MESSAGE_AUDIO_EXTENSIONS, '.aac', '.caf', '.flac', '.wav']);

/** Whether a file can be sent as a voice message. @param {{ contentType?: string | null, fileName?: string | null }} [media] @returns {boolean} */
export const isVoiceMessageCompatibleAudio = ({ contentType, fileName } = {}) =>
  VOICE_MESSAGE_MIME_TYPES.has(normalizeMimeType(contentType)) || VOICE_MESSAGE_AUDIO_EXTENSIONS.has(getFileExtension(fileName?.trim()));
export const isVoiceCompatibleAudio = isVoiceMessageCompatibleAudio;

/** Whether a name is that of an audio file. @param {string | null} [fileName] @returns {boolean} */
export const isAudioFileName = (fileName) => AUDIO_EXTENSIONS.has(getFileExtension(fileName));

/** Whether media is a GIF. @param {{ contentType?: string | null, fileName?: string | null }} media @returns {boolean} */
export const isGifMedia = ({ contentType, fileName }) => contentType?.toLowerCase() === 'image/gif' || getFileExtension(fileName) === '.gif';
