export { buildNoCapabilityModelConfiguredMessage, resolveCapabilityModelCandidates, throwCapabilityGenerationFailure } from './internal/generation/candidates.js';
