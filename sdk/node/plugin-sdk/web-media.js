export { LocalMediaAccessError, getDefaultLocalRoots } from './internal/media/roots.js';
export { loadWebMedia, loadWebMediaRaw } from './internal/media/load.js';
export { optimizeImageToJpeg, optimizeImageToPng } from './internal/media/resize.js';
