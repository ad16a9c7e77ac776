// Kinds of media.

const SIGNATURES = [
  ['image/png', [0x89, 0x50, 0x4e, 0x47]], ['image/jpeg', [0xff, 0xd8, 0xff]], ['image/gif', [0x47, 0x49, 0x46, 0x38]],
  ['application/pdf', [0x25, 0x50, 0x44, 0x46]], ['application/zip', [0x50, 0x4b, 0x03, 0x04]], ['audio/ogg', [0x4f, 0x67, 0x67, 0x53]],
  ['audio/mpeg', [0x49, 0x44, 0x33]], ['audio/flac', [0x66, 0x4c, 0x61, 0x43]], ['video/webm', [0x1a, 0x45, 0xdf, 0xa3]],
  ['application/gzip', [0x1f, 0x8b]],
];
const EXTENSIONS = {
  png: 'image/png', jpg: 'image/jpeg', jpeg: 'image/jpeg', gif: 'image/gif', webp: 'image/webp', svg: 'image/svg+xml', heic: 'image/heic',
  mp3: 'audio/mpeg', ogg: 'audio/ogg', opus: 'audio/ogg', wav: 'audio/wav', m4a: 'audio/x-m4a', flac: 'audio/flac', mp4: 'video/mp4',
  mov: 'video/quicktime', webm: 'video/webm', pdf: 'application/pdf', json: 'application/json', txt: 'text/plain', md: 'text/markdown',
  csv: 'text/csv', html: 'text/html', zip: 'application/zip',
};

function sniff(buffer) {
  if (!buffer || buffer.length < 4) return undefined;
  const tag = (from, to) => buffer.subarray(from, to).toString('latin1');
  if (tag(0, 4) === 'RIFF') return { WEBP: 'image/webp', 'WAVE': 'audio/wav' }[tag(8, 12)];
  if (tag(4, 8) === 'ftyp') return { 'M4A ': 'audio/x-m4a', heic: 'image/heic', 'qt  ': 'video/quicktime' }[tag(8, 12)] ?? 'video/mp4';
  return SIGNATURES.find(([, bytes]) => bytes.every((byte, index) => buffer[index] === byte))?.[0];
}

/** The MIME type by content, header, then file name. */
export async function detectMime({ buffer, headerMime, filePath } = {}) {
  const bytes = buffer ? Buffer.from(buffer.buffer ?? buffer, buffer.byteOffset ?? 0, buffer.byteLength) : undefined;
  const found = sniff(bytes);
  const header = headerMime?.split(';')[0].trim().toLowerCase() || undefined;
  const named = EXTENSIONS[/\.([a-z0-9]+)(?:[?#].*)?$/i.exec(filePath ?? '')?.[1]?.toLowerCase()];
  const generic = (type) => !type || type === 'application/octet-stream' || type === 'application/zip';
  return [found, named, header].find((type) => !generic(type)) ?? found ?? header ?? named;
}

/** `image`, `audio`, `video` or `document`. */
export function mediaKindFromMime(mime) {
  const type = mime?.split(';')[0].trim().toLowerCase();
  if (!type) return undefined;
  const family = type.split('/')[0];
  if (['image', 'audio', 'video'].includes(family)) return family;
  return family === 'text' || family === 'application' ? 'document' : undefined;
}

const VOICE_TYPES = new Set(['audio/ogg', 'audio/opus', 'audio/mpeg', 'audio/mp3', 'audio/mp4', 'audio/x-m4a', 'audio/m4a']);

/** Whether a file can be sent as a voice message. */
export function isVoiceCompatibleAudio({ contentType, fileName } = {}) {
  const type = contentType?.split(';')[0].trim().toLowerCase();
  return VOICE_TYPES.has(type) || /\.(?:oga|ogg|opus|mp3|m4a)$/i.test(fileName?.trim() ?? '');
}
