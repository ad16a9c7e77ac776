export {};
export { buildAgentMediaPayload } from './internal/media/payload.js';
export { getAgentScopedMediaLocalRoots } from './internal/media/roots.js';
