// When lists of skills that were made before are out of date.

const state = { global: 0, workspaces: new Map(), listeners: new Set() };
const next = (version) => Math.max(Date.now(), version + 1);

/**
 * @param {{workspaceDir?: string, reason?: string, changedPath?: string}} [params]
 * @returns {number} the new version
 */
export function bumpSkillsSnapshotVersion({ workspaceDir, reason = 'manual', changedPath } = {}) {
  const version = next(workspaceDir ? (state.workspaces.get(workspaceDir) ?? 0) : state.global);
  if (workspaceDir) state.workspaces.set(workspaceDir, version);
  else state.global = version;
  for (const listener of state.listeners) {
    try {
      listener({ ...(workspaceDir ? { workspaceDir } : {}), reason, changedPath });
    } catch {
      // A listener's failure is its own.
    }
  }
  return version;
}

/**
 * @param {string} [workspaceDir]
 * @returns {number}
 */
export const getSkillsSnapshotVersion = (workspaceDir) => Math.max(state.global, (workspaceDir && state.workspaces.get(workspaceDir)) || 0);

/**
 * @param {(change: object) => void} listener
 * @returns {() => void} ends it
 */
export function registerSkillsChangeListener(listener) {
  state.listeners.add(listener);
  return () => void state.listeners.delete(listener);
}

/**
 * @param {number} [cachedVersion]
 * @param {number} [nextVersion]
 * @returns {boolean}
 */
export function shouldRefreshSnapshotForVersion(cachedVersion, nextVersion) {
  const [cached, now] = [cachedVersion, nextVersion].map((value) => (typeof value === 'number' ? value : 0));
  return now === 0 ? cached > 0 : cached < now;
}
