export { getProviderEnvVars, listKnownProviderAuthEnvVarNames, omitEnvKeysCaseInsensitive, resolveProviderAuthEnvVarCandidates } from './internal/auth/env-names.js';
