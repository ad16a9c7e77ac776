// The sessions of all agents in one list, by their full keys.
import { listAgentIds, resolveDefaultAgentId } from './agents.js';
import { normalizeAgentId } from './accounts.js';
import { loadSessionStore } from './host.js';
import { resolveStorePath } from './paths.js';
import { parseAgentSessionKey } from './session-keys.js';
import { canonicalizeMainSessionAlias } from './session-store.js';

const named = (key) => key === 'global' || key === 'unknown';
function fullKey(cfg, agentId, raw) {
  const key = raw.trim();
  if (!key || named(key.toLowerCase())) return key.toLowerCase();
  const full = parseAgentSessionKey(key) ? key.toLowerCase() : `agent:${agentId}:${key.toLowerCase()}`;
  return canonicalizeMainSessionAlias({ cfg, agentId, sessionKey: full });
}
/** The newer row wins where two agents have the same session. */
function add(store, key, entry) {
  const known = store[key];
  const newer = known && (known.updatedAt ?? 0) > (entry.updatedAt ?? 0);
  store[key] = { ...(newer ? entry : known), ...(newer ? known : entry) };
}

/** @param {object} cfg @param {{agentId?: string, configuredAgentsOnly?: boolean}} [options] @returns {{storePath: string, store: Record<string, any>}} */
export function loadCombinedSessionStoreForGateway(cfg, options = {}) {
  const given = cfg.session?.store;
  const single = given && !given.includes('{agentId}');
  const agents = single ? [normalizeAgentId(resolveDefaultAgentId(cfg))] : options.agentId?.trim() ? [normalizeAgentId(options.agentId)] : listAgentIds(cfg);
  const store = {};
  const paths = agents.map((agentId) => [agentId, resolveStorePath(given, { agentId })]);
  for (const [agentId, file] of paths) for (const [key, entry] of Object.entries(loadSessionStore(file))) add(store, fullKey(cfg, agentId, key), entry);
  return { storePath: paths.length === 1 ? paths[0][1] : given?.trim() || '(multiple)', store };
}
