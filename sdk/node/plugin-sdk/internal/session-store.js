// Sessions: their rows, how fresh they are, who sees whom, and transcripts by name.
import path from 'node:path';
import { sessionStoreOf } from '../../worker/runtime/agent.js';
import { peer, plugins } from '../../worker/state.js';
import { normalizeAgentId } from './accounts.js';
import { resolveStateDir, resolveStorePath } from './paths.js';
import { resolveAgentIdFromSessionKey } from './session-keys.js';
import { normalizeMainKey, parseThreadSessionSuffix } from './session-routes.js';
import { normalizeLowercaseStringOrEmpty, normalizeOptionalLowercaseString, normalizeOptionalString } from './strings.js';

function stores() {
  if (!peer) throw Object.assign(new Error('sessions are the gateway\'s; this works only inside a plugin worker'), { code: 'NOT_BUILT' });
  return sessionStoreOf({ id: plugins.size === 1 ? plugins.keys().next().value : undefined });
}
const pathOf = ({ storePath, agentId, sessionKey, env }) => storePath ?? resolveStorePath(undefined, { agentId: agentId ?? (sessionKey && resolveAgentIdFromSessionKey(sessionKey)), env });

/** Changes a store; what the mutator returns. @param {string} storePath @param {(store: object) => any} mutator */
export const updateSessionStore = async (storePath, mutator) => stores().updateSessionStore(storePath, mutator);
/** Writes a store: rows that differ are changed. @param {string} storePath @param {object} store */
export const saveSessionStore = async (storePath, store) => stores().saveSessionStore(storePath, store);
/** Changes one row; the new one, or `null` when there is none. @param {{ storePath: string, sessionKey: string, update: (entry: object) => any }} params */
export const updateSessionStoreEntry = async (params) => stores().updateSessionStoreEntry(params);

/** A row by its key, whatever its case. @param {{ store: object, sessionKey: string }} params @returns {{ normalizedKey: string, existing?: object, legacyKeys: string[] }} */
export function resolveSessionStoreEntry({ store, sessionKey }) {
  const normalizedKey = normalizeLowercaseStringOrEmpty(sessionKey);
  const keys = Object.keys(store).filter((key) => normalizeLowercaseStringOrEmpty(key) === normalizedKey);
  const time = (key) => store[key]?.updatedAt ?? 0;
  const best = keys.reduce((first, key) => (first === undefined || time(key) > time(first) || (time(key) === time(first) && key === normalizedKey) ? key : first), undefined);
  return { normalizedKey, existing: best === undefined ? undefined : store[best], legacyKeys: keys.filter((key) => key !== normalizedKey) };
}
/** A session's row. @param {{ sessionKey: string, storePath?: string, agentId?: string }} params @returns {object | undefined} */
export const getSessionEntry = (params) => resolveSessionStoreEntry({ store: stores().loadSessionStore(pathOf(params)), sessionKey: params.sessionKey }).existing;
/** All rows with their keys. @param {{ storePath?: string, agentId?: string }} [params] @returns {{ sessionKey: string, entry: object }[]} */
export const listSessionEntries = (params = {}) => Object.entries(stores().loadSessionStore(pathOf(params))).map(([sessionKey, entry]) => ({ sessionKey, entry }));
/** When a session last changed. @param {{ sessionKey: string, storePath?: string }} params @returns {number | undefined} */
export function readSessionUpdatedAt(params) {
  try {
    return getSessionEntry(params)?.updatedAt;
  } catch (error) {
    if (error.code === 'NOT_BUILT') throw error;
    return undefined;
  }
}
/** Changes a session's row by what a function gives for it; rows that are not there stay so. @param {{ sessionKey: string, storePath?: string, agentId?: string, update: (entry: object) => any }} params @returns {Promise<object | null>} */
export async function patchSessionEntry(params) {
  const storePath = pathOf(params);
  const { legacyKeys, normalizedKey } = resolveSessionStoreEntry({ store: stores().loadSessionStore(storePath), sessionKey: params.sessionKey });
  return stores().updateSessionStoreEntry({ storePath, sessionKey: legacyKeys[0] ?? normalizedKey, update: params.update });
}

/** Where an agent's transcripts are. @param {string} [agentId] @param {NodeJS.ProcessEnv} [env] @returns {string} */
export const resolveSessionTranscriptsDirForAgent = (agentId, env = process.env) => path.join(resolveStateDir(env), 'agents', normalizeAgentId(agentId), 'sessions');
/** The transcript of a session; an id that is no file name is an error. @param {string} sessionId @param {string} sessionsDir @param {string | number} [topicId] @returns {string} */
export function resolveSessionTranscriptPathInDir(sessionId, sessionsDir, topicId) {
  const id = sessionId.trim();
  if (!/^[a-z0-9][a-z0-9._-]{0,127}$/i.test(id)) throw new Error(`Invalid session ID: ${sessionId}`);
  return path.resolve(sessionsDir, topicId === undefined ? `${id}.jsonl` : `${id}-topic-${encodeURIComponent(topicId)}.jsonl`);
}

/** The key of a main session under any of its names. @param {{ cfg?: object, agentId: string, sessionKey: string }} params @returns {string} */
export function canonicalizeMainSessionAlias({ cfg, agentId, sessionKey }) {
  const key = sessionKey.trim();
  const mainKey = normalizeMainKey(cfg?.session?.mainKey);
  const id = normalizeAgentId(agentId);
  const names = ['main', mainKey, ...[id, 'main'].flatMap((agent) => [`agent:${agent}:${mainKey}`, `agent:${agent}:main`])];
  if (!names.includes(key)) return key;
  return cfg?.session?.scope === 'global' ? 'global' : `agent:${id}:${mainKey}`;
}

const isThread = (key) => Boolean(parseThreadSessionSuffix(key).threadId);
/** Whether a message is in a thread. @param {object} params @returns {boolean} */
export const resolveThreadFlag = ({ sessionKey, messageThreadId, threadLabel, threadStarterBody, parentSessionKey }) =>
  messageThreadId != null || [threadLabel, threadStarterBody, parentSessionKey].some((value) => value?.trim()) || isThread(sessionKey);
/** What kind of session it is when it comes to starting anew. @param {{ sessionKey?: string, isGroup?: boolean, isThread?: boolean }} params @returns {'thread' | 'group' | 'direct'} */
export function resolveSessionResetType(params) {
  if (params.isThread || isThread(params.sessionKey)) return 'thread';
  return params.isGroup || /:group:|:channel:/.test(normalizeLowercaseStringOrEmpty(params.sessionKey)) ? 'group' : 'direct';
}
const hourOf = (value) => (typeof value === 'number' && Number.isFinite(value) ? Math.min(23, Math.max(0, Math.floor(value))) : 4);
/** When a session starts anew. @param {{ sessionCfg?: object, resetType: string, resetOverride?: object }} params */
export function resolveSessionResetPolicy({ sessionCfg, resetType, resetOverride }) {
  const base = resetOverride ?? sessionCfg?.reset;
  const byType = resetOverride ? undefined : sessionCfg?.resetByType?.[resetType] ?? (resetType === 'direct' ? sessionCfg?.resetByType?.dm : undefined);
  const former = resetOverride ? undefined : sessionCfg?.idleMinutes;
  const explicit = Boolean(base || sessionCfg?.resetByType);
  const mode = byType?.mode ?? base?.mode ?? (!explicit && former != null ? 'idle' : 'daily');
  const minutes = Math.floor(byType?.idleMinutes ?? base?.idleMinutes ?? former ?? (mode === 'idle' ? 0 : NaN));
  return { mode, atHour: hourOf(byType?.atHour ?? base?.atHour), idleMinutes: Number.isFinite(minutes) ? Math.max(minutes, 0) : undefined, configured: Boolean(base || byType || former != null) };
}
/** The same for a channel. @param {{ sessionCfg?: object, channel?: string }} params */
export const resolveChannelResetConfig = ({ sessionCfg, channel }) => sessionCfg?.resetByChannel?.[normalizeOptionalLowercaseString(channel)];
/** Whether a session goes on. @param {{ updatedAt: number, sessionStartedAt?: number, lastInteractionAt?: number, now: number, policy: object }} params @returns {{ fresh: boolean, dailyResetAt?: number, idleExpiresAt?: number }} */
export function evaluateSessionFreshness({ updatedAt, sessionStartedAt, lastInteractionAt, now, policy }) {
  const time = (value) => (typeof value === 'number' && Number.isFinite(value) && value >= 0 && !(value > now) ? value : undefined);
  const started = time(sessionStartedAt) ?? time(updatedAt) ?? 0;
  let dailyResetAt;
  if (policy.mode === 'daily') {
    const day = new Date(now);
    day.setHours(hourOf(policy.atHour), 0, 0, 0);
    if (now < day.getTime()) day.setDate(day.getDate() - 1);
    dailyResetAt = day.getTime();
  }
  const idleExpiresAt = policy.idleMinutes > 0 ? (time(lastInteractionAt) ?? started) + policy.idleMinutes * 60_000 : undefined;
  return { fresh: !(started < dailyResetAt) && !(now > idleExpiresAt), dailyResetAt, idleExpiresAt };
}

/** The id in the name of a transcript, kept or put aside. */
const archived = (name) => /^(.+?)\.jsonl(?:\.(?:reset|deleted)\.\d{4}-\d{2}-\d{2}T\d{2}-\d{2}-\d{2}(?:\.\d{3})?Z)?$/.exec(name)?.[1];
/** Which transcript a hit is about. @param {string} hitPath @returns {{ stem: string, ownerAgentId?: string, archived: boolean } | null} */
export function extractTranscriptIdentityFromSessionsMemoryHit(hitPath) {
  const file = hitPath.replace(/\\/g, '/');
  const rest = file.replace(/^sessions\//, '');
  const [owner, ...more] = rest.split('/').filter(Boolean);
  const ownerAgentId = rest !== file && more.length === 1 ? normalizeAgentId(owner) : undefined;
  const base = path.posix.basename(rest);
  const id = archived(base);
  if (id && base !== `${id}.jsonl`) return { stem: id, ownerAgentId, archived: true };
  const stem = /^(.+)\.(?:jsonl|md)$/.exec(base)?.[1];
  return stem ? { stem, ...(base.endsWith('.md') ? {} : { ownerAgentId }), archived: false } : null;
}
/** Its name alone. @param {string} hitPath @returns {string | null} */
export const extractTranscriptStemFromSessionsMemoryHit = (hitPath) => extractTranscriptIdentityFromSessionsMemoryHit(hitPath)?.stem ?? null;
/** The sessions of a transcript. @param {{ store: object, stem: string, archivedOwnerAgentId?: string }} params @returns {string[]} */
export function resolveTranscriptStemToSessionKeys({ store, stem, archivedOwnerAgentId }) {
  const id = archived(stem.endsWith('.jsonl') ? stem : `${stem}.jsonl`);
  const fits = ({ sessionFile, sessionId }) => (normalizeOptionalString(sessionFile) && path.basename(sessionFile.trim()).replace(/\.jsonl$/, '') === stem) || sessionId === stem || (id && sessionId === id);
  const keys = Object.keys(store).filter((key) => fits(store[key]));
  const owner = normalizeOptionalString(archivedOwnerAgentId);
  return keys.length > 0 || !owner ? keys : [`agent:${normalizeAgentId(owner)}:${stem}`];
}
