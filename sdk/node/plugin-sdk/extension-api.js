export { resolveAgentIdentity } from './internal/agent-identity.js';
export { resolveAgentDir, resolveAgentWorkspaceDir } from './internal/agents.js';
export { loadSessionStore } from './internal/host.js';
export { resolveStorePath } from './internal/paths.js';
export { DEFAULT_MODEL, DEFAULT_PROVIDER } from './internal/provider/defaults.js';
export { saveSessionStore, updateSessionStore, updateSessionStoreEntry } from './internal/session-store.js';
export { resolveThinkingDefault } from './internal/thinking-policy.js';
