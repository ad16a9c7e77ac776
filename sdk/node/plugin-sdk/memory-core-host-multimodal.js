export { isMemoryMultimodalEnabled, normalizeMemoryMultimodalSettings } from './internal/memory/multimodal.js';
