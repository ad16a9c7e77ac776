export * from './memory-host-core.js';
export { resolveStateDir } from './internal/paths.js';
export { resolveSessionTranscriptsDirForAgent } from './internal/session-store.js';
export { resolveMemorySearchConfig } from './internal/memory/settings.js';
export { jsonResult, readFiniteNumberParam, readNumberParam, readPositiveIntegerParam, readStringParam } from './internal/actions.js';
export { resolveCronStyleNow } from './internal/time.js';
export { clearMemoryPluginState, getMemoryCapabilityRegistration, registerMemoryCapability, registerMemoryCorpusSupplement } from './internal/memory/capability.js';
