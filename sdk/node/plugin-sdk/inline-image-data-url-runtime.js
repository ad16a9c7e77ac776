export { INLINE_IMAGE_DATA_URL_PREFIX, sanitizeInlineImageDataUrl, sniffInlineImageMime } from './internal/inline-images.js';
