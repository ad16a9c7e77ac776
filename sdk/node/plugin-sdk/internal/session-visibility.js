// Which sessions a session may see, by the settings of tools.
import { resolveAgentIdFromSessionKey } from './session-keys.js';
import { listSessionEntries } from './session-store.js';
import { escapeRegExp, normalizeLowercaseStringOrEmpty, normalizeOptionalString } from './strings.js';

const ACTIONS = { history: 'The history of', send: 'Sending to', status: 'The status of' };

/** How far tools see: `self`, `tree`, `agent` or `all`. @param {object} cfg @returns {string} */
export const resolveSessionToolsVisibility = (cfg) => ['self', 'tree', 'agent', 'all'].find((word) => word === normalizeLowercaseStringOrEmpty(cfg.tools?.sessions?.visibility)) ?? 'tree';
/** The same inside a sandbox. @param {object} cfg @returns {string} */
export const resolveSandboxSessionToolsVisibility = (cfg) => cfg.agents?.defaults?.sandbox?.sessionToolsVisibility ?? 'spawned';
/** What holds for a session. @param {{ cfg: object, sandboxed: boolean }} params @returns {string} */
export const resolveEffectiveSessionToolsVisibility = ({ cfg, sandboxed }) => (sandboxed && resolveSandboxSessionToolsVisibility(cfg) === 'spawned' ? 'tree' : resolveSessionToolsVisibility(cfg));

/** Which agents may reach each other. @param {object} cfg @returns {{ enabled: boolean, matchesAllow: (agentId: string) => boolean, isAllowed: (from: string, to: string) => boolean }} */
export function createAgentToAgentPolicy(cfg) {
  const { enabled, allow } = cfg.tools?.agentToAgent ?? {};
  const patterns = (Array.isArray(allow) ? allow : []).map((pattern) => normalizeOptionalString(String(pattern ?? '')) ?? '');
  const fits = (pattern, id) => (pattern.includes('*') ? new RegExp(`^${escapeRegExp(pattern).replaceAll('\\*', '.*')}$`, 'i').test(id) : pattern !== '' && pattern === id);
  const matchesAllow = (id) => patterns.length === 0 || patterns.some((pattern) => fits(pattern, id));
  return { enabled: enabled === true, matchesAllow, isAllowed: (from, to) => from === to || (enabled === true && matchesAllow(from) && matchesAllow(to)) };
}

/** Says of rows of sessions whether they may be seen. @param {{ action: string, requesterSessionKey: string, visibility: string, a2aPolicy: object }} params */
export function createSessionVisibilityRowChecker({ action, requesterSessionKey, visibility, a2aPolicy }) {
  const own = resolveAgentIdFromSessionKey(requesterSessionKey);
  const refuse = (what, setting) => ({ allowed: false, status: 'forbidden', error: `${ACTIONS[action] ?? 'Listing'} ${what} is not allowed; see \`${setting}\`` });
  const check = (row) => {
    const target = row.agentId ?? resolveAgentIdFromSessionKey(row.key);
    const itself = row.key === requesterSessionKey || row.key === 'current';
    const spawned = [row.ownerSessionKey, row.spawnedBy, row.parentSessionKey].includes(requesterSessionKey);
    if (!itself && spawned && (visibility === 'tree' || visibility === 'all')) return { allowed: true };
    if (target !== own) {
      if (visibility !== 'all') return refuse('sessions of other agents', 'tools.sessions.visibility');
      if (!a2aPolicy.enabled) return refuse('sessions of other agents', 'tools.agentToAgent.enabled');
      return a2aPolicy.isAllowed(own, target) ? { allowed: true } : refuse(`sessions of the agent \`${target}\``, 'tools.agentToAgent.allow');
    }
    if (visibility === 'self' && !itself) return refuse('sessions other than the current one', 'tools.sessions.visibility');
    if (visibility === 'tree' && !itself && !spawned) return refuse('sessions that the current one did not start', 'tools.sessions.visibility');
    return { allowed: true };
  };
  return { check };
}
/** The same for keys. @param {{ action: string, requesterSessionKey: string, visibility: string, a2aPolicy: object, spawnedKeys?: Set<string> | null }} params */
export function createSessionVisibilityChecker({ spawnedKeys, ...params }) {
  const rows = createSessionVisibilityRowChecker(params);
  return { check: (key) => rows.check({ key, spawnedBy: spawnedKeys?.has(key) ? params.requesterSessionKey : undefined }) };
}

/** The sessions that a session started. @param {{ requesterSessionKey: string, limit?: number }} params @returns {Promise<Set<string>>} */
export async function listSpawnedSessionKeys({ requesterSessionKey, limit }) {
  try {
    const keys = listSessionEntries().filter(({ entry }) => entry?.spawnedBy === requesterSessionKey).map(({ sessionKey }) => sessionKey);
    return new Set(Number.isFinite(limit) ? keys.slice(0, Math.max(1, Math.floor(limit))) : keys);
  } catch {
    return new Set();
  }
}
/** Says of keys whether they may be seen, after it looked up what the session started. @param {{ action: string, requesterSessionKey: string, visibility: string, a2aPolicy: object }} params */
export async function createSessionVisibilityGuard(params) {
  const needed = params.action !== 'list' && (params.visibility === 'tree' || params.visibility === 'all');
  return createSessionVisibilityChecker({ ...params, spawnedKeys: needed ? await listSpawnedSessionKeys(params) : null });
}
