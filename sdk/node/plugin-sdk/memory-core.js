export * from './memory-host-core.js';
export { resolveStateDir } from './internal/paths.js';
export { resolveSessionTranscriptsDirForAgent } from './internal/session-store.js';
