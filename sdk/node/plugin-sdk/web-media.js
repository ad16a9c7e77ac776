export { LocalMediaAccessError, getDefaultLocalRoots } from './internal/media/roots.js';
export { loadWebMedia, loadWebMediaRaw } from './internal/media/load.js';
