export { applyResolvedAssignments, createResolverContext, resolveSecretRefValues } from './internal/secret-resolve.js';
