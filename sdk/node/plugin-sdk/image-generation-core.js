export { resolveAgentModelFallbackValues, resolveAgentModelPrimaryValue } from './internal/agents.js';
export { getProviderEnvVars } from './internal/auth/env-names.js';
export { createSubsystemLogger } from './internal/host.js';
export { isFailoverError, parseCapabilityModelRef as parseImageGenerationModelRef } from './internal/generation/candidates.js';
export { buildNoCapabilityModelConfiguredMessage, resolveCapabilityModelCandidates, throwCapabilityGenerationFailure } from './internal/generation/candidates.js';
export { resolveApiKeyForProvider } from './internal/auth/resolve.js';
export { OPENAI_DEFAULT_IMAGE_MODEL } from './internal/provider/defaults.js';
export { normalizeGoogleModelId } from './internal/provider/id.js';
export { getImageGenerationProvider, listImageGenerationProviders } from './internal/capability-registries.js';
