export { generateVideo, listRuntimeVideoGenerationProviders } from './internal/generation/runtime.js';
