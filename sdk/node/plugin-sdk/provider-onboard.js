export { resolveAgentModelFallbackValues, resolveAgentModelPrimaryValue } from './internal/agents.js';
