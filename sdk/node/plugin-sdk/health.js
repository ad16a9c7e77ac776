export { resolveAgentWorkspaceDir, resolveDefaultAgentId } from './internal/agents.js';
