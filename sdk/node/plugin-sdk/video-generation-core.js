export { resolveAgentModelFallbackValues, resolveAgentModelPrimaryValue } from './internal/agents.js';
export { getProviderEnvVars } from './internal/auth/env-names.js';
export { createSubsystemLogger } from './internal/host.js';
export { isFailoverError, parseCapabilityModelRef as parseVideoGenerationModelRef } from './internal/generation/candidates.js';
export { buildNoCapabilityModelConfiguredMessage, resolveCapabilityModelCandidates, throwCapabilityGenerationFailure } from './internal/generation/candidates.js';
export { getVideoGenerationProvider, listVideoGenerationProviders } from './internal/capability-registries.js';
export { describeFailoverError } from './internal/failover-errors.js';
