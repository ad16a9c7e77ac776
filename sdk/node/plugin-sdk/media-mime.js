export { detectMime, extensionForMime, getFileExtension, mediaKindFromMime, mimeTypeFromFilePath, normalizeMimeType } from './internal/mime.js';
