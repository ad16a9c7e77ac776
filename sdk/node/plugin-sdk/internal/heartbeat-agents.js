// Which agents have heartbeats.
import { normalizeAgentId } from './accounts.js';
import { resolveDefaultAgentId } from './agents.js';

/** Whether an agent has heartbeats: those that say so, else all where the defaults say so, else the default agent. @param {any} cfg @param {string} [agentId] @returns {boolean} */
export function isHeartbeatEnabledForAgent(cfg, agentId) {
  const id = normalizeAgentId(agentId ?? resolveDefaultAgentId(cfg));
  const named = (cfg.agents?.list ?? []).filter((entry) => Boolean(entry?.heartbeat));
  if (named.length > 0) return named.some((entry) => normalizeAgentId(entry.id) === id);
  return Boolean(cfg.agents?.defaults?.heartbeat) || id === resolveDefaultAgentId(cfg);
}
