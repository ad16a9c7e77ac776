export { buildNoCapabilityModelConfiguredMessage, recordCapabilityCandidateFailure, resolveCapabilityModelCandidates, throwCapabilityGenerationFailure } from './internal/generation/candidates.js';
export { buildMediaGenerationNormalizationMetadata, deriveAspectRatioFromSize, hasMediaNormalizationEntry, normalizeDurationToClosestMax, resolveClosestAspectRatio, resolveClosestResolution, resolveClosestSize } from './internal/generation/shapes.js';
export { resolveMediaProviderDefaultTimeoutMs, resolveMediaProviderRequestTimeoutMs } from './internal/numbers.js';
