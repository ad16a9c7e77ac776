export { readMediaBuffer, resolveMediaBufferPath, saveMediaBuffer, saveMediaSource, saveMediaStream } from './internal/media/store.js';
