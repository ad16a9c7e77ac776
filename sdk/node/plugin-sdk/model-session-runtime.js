export { applyModelOverrideToSessionEntry, resolveAgentMaxConcurrent, resolveChannelModelOverride } from './internal/model-override.js';
