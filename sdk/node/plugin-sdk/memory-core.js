export { jsonResult, readNumberParam, readPositiveIntegerParam, readStringParam } from './internal/actions.js';
export { emptyPluginConfigSchema } from './internal/config-schema.js';
export { resolveStateDir } from './internal/paths.js';
export { parseAgentSessionKey } from './internal/session-keys.js';
