export { generateImage, listRuntimeImageGenerationProviders } from './internal/generation/runtime.js';
