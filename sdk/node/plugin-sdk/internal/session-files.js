// The transcript of a session by its row, and rows that are written whole.
import { sessionStoreOf } from '../../worker/runtime/agent.js';
import { peer, plugins } from '../../worker/state.js';
import { getSessionEntry, patchSessionEntry } from './session-store.js';

function stores() {
  if (!peer) throw Object.assign(new Error('sessions are the gateway\'s; this works only inside a plugin worker'), { code: 'NOT_BUILT' });
  return sessionStoreOf({ id: plugins.size === 1 ? plugins.keys().next().value : undefined });
}

/** Where the transcript of a session is. @param {string} sessionId @param {{sessionFile?: string}} [entry] @param {{agentId?: string, sessionsDir?: string}} [options] @returns {string} */
export const resolveSessionFilePath = (sessionId, entry, options) => stores().resolveSessionFilePath(sessionId, entry, options);

/**
 * The transcript of a session; a row that does not name it yet is changed. A session begins with its first message: a row that is not there is not made.
 * @param {{sessionId: string, sessionKey: string, sessionStore: Record<string, any>, storePath: string, sessionEntry?: any, fallbackSessionFile?: string, agentId?: string, sessionsDir?: string}} params
 * @returns {Promise<{sessionFile: string, sessionEntry: any}>}
 */
export async function resolveAndPersistSessionFile({ sessionId, sessionKey, sessionStore, storePath, sessionEntry, fallbackSessionFile, agentId, sessionsDir }) {
  const now = Date.now();
  const before = sessionEntry ?? sessionStore[sessionKey] ?? { sessionId, updatedAt: now, sessionStartedAt: now };
  const same = before.sessionId === sessionId;
  const named = (same ? before.sessionFile : undefined) ?? (fallbackSessionFile?.trim() || undefined);
  const sessionFile = resolveSessionFilePath(sessionId, { ...before, sessionFile: named }, { agentId, sessionsDir });
  const entry = { ...before, sessionId, updatedAt: now, sessionStartedAt: same ? before.sessionStartedAt ?? now : now, sessionFile };
  sessionStore[sessionKey] = entry;
  if (same && before.sessionFile === sessionFile) return { sessionFile, sessionEntry: entry };
  const known = stores().loadSessionStore(storePath)[sessionKey];
  if (known && known.sessionFile !== sessionFile) await stores().updateSessionStoreEntry({ storePath, sessionKey, update: () => ({ sessionFile }) });
  return { sessionFile, sessionEntry: entry };
}

/** Writes what a row should say; rows that are not there stay so, since a session begins with its first message. @param {{sessionKey: string, entry: object, storePath?: string, agentId?: string}} params */
export async function upsertSessionEntry({ entry, ...place }) {
  if (!getSessionEntry(place)) throw Object.assign(new Error(`there is no session \`${place.sessionKey}\`; a session begins with its first message, not with a row`), { code: 'SESSION_STORE_REFUSED' });
  await patchSessionEntry({ ...place, update: () => entry });
}
