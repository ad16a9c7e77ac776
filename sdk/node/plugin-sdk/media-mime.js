export { detectMime, mediaKindFromMime } from './internal/mime.js';
