export { createScopedExpiringIdCache, resolveGlobalMap, resolveGlobalSingleton } from './internal/singletons.js';
