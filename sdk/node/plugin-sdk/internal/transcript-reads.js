// Transcripts of sessions by who and which: the gateway keeps them as lines of JSON.
import fs from 'node:fs';
import { askSync } from '../../worker/runtime/group.js';
import { normalizeAgentId } from './accounts.js';
import { ownPlugin } from './own-plugin.js';
import { resolveAgentIdFromSessionKey } from './session-keys.js';
import { getSessionEntry } from './session-store.js';
import { normalizeOptionalString } from './strings.js';
import { extractAssistantText } from './simple-completion.js';

/** How much of the end of a transcript is read for the last answers, in bytes. */
const TAIL = 1024 * 1024;

function targetOf({ sessionId, sessionKey, agentId: given, sessionFile, storePath }) {
  const agentId = normalizeAgentId(given ?? resolveAgentIdFromSessionKey(sessionKey));
  const entry = sessionKey && !sessionId ? getSessionEntry({ sessionKey, storePath, agentId }) : undefined;
  const id = normalizeOptionalString(sessionId) ?? entry?.sessionId;
  if (!id) throw new Error(`the session \`${sessionKey ?? ''}\` has no transcript`);
  const file = normalizeOptionalString(sessionFile) ?? askSync(ownPlugin('api.runtime.agent.session'), 'host.session.resolveSessionFilePath', { sessionId: id, entry, agentId });
  return { agentId, sessionId: id, sessionKey, sessionFile: file };
}
/** The last whole lines of a file, the newest first. */
function lastLines(file) {
  let handle;
  try {
    handle = fs.openSync(file, 'r');
    const { size } = fs.fstatSync(handle);
    const from = Math.max(0, size - TAIL);
    const buffer = Buffer.alloc(size - from);
    fs.readSync(handle, buffer, 0, buffer.length, from);
    const lines = buffer.toString('utf8').split('\n');
    return (from > 0 ? lines.slice(1) : lines).filter((line) => line.trim()).reverse();
  } catch (error) {
    if (error.code === 'ENOENT') return [];
    throw error;
  } finally {
    if (handle !== undefined) fs.closeSync(handle);
  }
}
function parsed(line) {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
/** The newest answer in a transcript. @param {string | undefined} sessionFile @returns {Promise<{id?: string, text: string, timestamp?: number} | undefined>} */
export async function readLatestAssistantTextFromSessionTranscript(sessionFile) {
  for (const line of sessionFile?.trim() ? lastLines(sessionFile) : []) {
    const { id, message } = parsed(line) ?? {};
    const text = message?.role === 'assistant' ? extractAssistantText(message) : '';
    if (text) return { ...(typeof id === 'string' && id ? { id } : {}), text, ...(Number.isFinite(message.timestamp) ? { timestamp: message.timestamp } : {}) };
  }
  return undefined;
}
/** The same of a session. @param {{sessionKey?: string, sessionId?: string, agentId?: string}} params */
export const readLatestAssistantTextByIdentity = async (params) => readLatestAssistantTextFromSessionTranscript(targetOf(params).sessionFile);
/** All entries of a session's transcript; broken lines are left out. @param {{sessionKey?: string, sessionId?: string, agentId?: string}} params @returns {Promise<any[]>} */
export async function readSessionTranscriptEvents(params) {
  const text = await fs.promises.readFile(targetOf(params).sessionFile, 'utf8').catch((error) => {
    if (error.code === 'ENOENT') return '';
    throw error;
  });
  return text.split('\n').map(parsed).filter((event) => event !== undefined);
}
/** Who a transcript belongs to. @param {{sessionKey?: string, sessionId?: string, agentId?: string}} params @returns {Promise<{agentId: string, memoryKey: string, sessionId: string, sessionKey?: string}>} */
export async function resolveSessionTranscriptIdentity(params) {
  const { agentId, sessionId, sessionKey } = targetOf(params);
  return { agentId, memoryKey: formatSessionTranscriptMemoryHitKey({ agentId, sessionId }), sessionId, sessionKey };
}
/** The same as the target of other calls. @param {any} params */
export async function resolveSessionTranscriptTarget(params) {
  return { ...(await resolveSessionTranscriptIdentity(params)), targetKind: params.sessionFile?.trim() ? 'active-session-file' : 'runtime-session' };
}

function segment(value, label) {
  const text = normalizeOptionalString(value);
  if (!text) throw new Error(`Cannot build session transcript memory hit key without ${label}.`);
  return encodeURIComponent(text);
}
/** The key of a transcript in memory. @param {{agentId: string, sessionId: string}} params @returns {string} */
export const formatSessionTranscriptMemoryHitKey = ({ agentId, sessionId }) => `transcript:${segment(normalizeAgentId(agentId), 'agentId')}:${segment(sessionId, 'sessionId')}`;
function decoded(text) {
  try {
    return normalizeOptionalString(decodeURIComponent(text));
  } catch {
    return undefined;
  }
}
/** @param {string} key @returns {{agentId: string, key: string, sessionId: string} | null} */
export function parseSessionTranscriptMemoryHitKey(key) {
  const [kind, agent = '', session = '', ...more] = key.split(':');
  const [owner, sessionId] = [decoded(agent), decoded(session)];
  if (kind !== 'transcript' || more.length > 0 || !owner || !sessionId) return null;
  const agentId = normalizeAgentId(owner);
  return { agentId, key: formatSessionTranscriptMemoryHitKey({ agentId, sessionId }), sessionId };
}
/** The sessions of such a key. @param {{key: string, store: Record<string, any>, includeSyntheticFallback?: boolean}} params @returns {string[]} */
export function resolveSessionTranscriptMemoryHitKeyToSessionKeys({ key, store, includeSyntheticFallback }) {
  const identity = parseSessionTranscriptMemoryHitKey(key);
  if (!identity) return [];
  const keys = Object.keys(store).filter((one) => store[one].sessionId === identity.sessionId && resolveAgentIdFromSessionKey(one) === identity.agentId);
  return keys.length > 0 || includeSyntheticFallback === false ? [...new Set(keys)] : [`agent:${identity.agentId}:${identity.sessionId}`];
}
