export { applyResolvedAssignments, createResolverContext, resolveSecretRefValues } from './internal/secret-resolve.js';
export { coerceSecretRef } from './internal/secrets.js';
