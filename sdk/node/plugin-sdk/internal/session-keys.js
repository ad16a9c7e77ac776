// Session keys and message routes.
import { normalizeAccountId, normalizeAgentId, normalizeOptionalAccountId } from './accounts.js';
import { normalizeLowercaseStringOrEmpty, normalizeOptionalString, normalizeOptionalThreadValue } from './strings.js';

const idText = (value) => (['string', 'number', 'bigint'].includes(typeof value) ? String(value).trim() : '');

/** The key of an agent's main session. */
export const buildAgentMainSessionKey = ({ agentId, mainKey }) => `agent:${normalizeAgentId(agentId)}:${normalizeLowercaseStringOrEmpty(mainKey) || 'main'}`;

/** The key of the session with a peer. */
export function buildAgentSessionKey({ agentId, channel: rawChannel, accountId, peer, dmScope = 'main', identityLinks }) {
  const channel = normalizeLowercaseStringOrEmpty(rawChannel) || 'unknown';
  const prefix = `agent:${normalizeAgentId(agentId)}`;
  const id = peer ? idText(peer.id) || 'unknown' : '';
  const kind = peer?.kind ?? 'direct';
  if (kind !== 'direct') return `${prefix}:${channel}:${kind}:${id.toLowerCase() || 'unknown'}`;
  if (dmScope === 'main') return buildAgentMainSessionKey({ agentId });
  const who = normalizeLowercaseStringOrEmpty(linkedPeer(identityLinks, channel, id) ?? id);
  if (who && dmScope === 'per-account-channel-peer') return `${prefix}:${channel}:${normalizeAccountId(accountId)}:direct:${who}`;
  if (who && dmScope === 'per-channel-peer') return `${prefix}:${channel}:direct:${who}`;
  if (who && dmScope === 'per-peer') return `${prefix}:direct:${who}`;
  return buildAgentMainSessionKey({ agentId });
}

/** The name that a configuration gives to several ids of one person. */
function linkedPeer(links, channel, peerId) {
  if (!links || !peerId) return undefined;
  const wanted = new Set([peerId, `${channel}:${peerId}`].map(normalizeLowercaseStringOrEmpty));
  for (const [name, ids] of Object.entries(links)) {
    if (name.trim() && Array.isArray(ids) && ids.some((id) => wanted.has(normalizeLowercaseStringOrEmpty(id)))) return name.trim();
  }
  return undefined;
}

/** The keys of a thread and of what it hangs on. */
export function resolveThreadSessionKeys({ baseSessionKey, threadId: rawThreadId, parentSessionKey, useSuffix = true, normalizeThreadId }) {
  const threadId = (rawThreadId ?? '').trim();
  if (!threadId) return { sessionKey: baseSessionKey, parentSessionKey: undefined };
  const name = normalizeThreadId?.(threadId) ?? threadId.toLowerCase();
  return { sessionKey: useSuffix ? `${baseSessionKey}:thread:${name}` : baseSessionKey, parentSessionKey };
}

export const deriveLastRoutePolicy = ({ sessionKey, mainSessionKey }) => (sessionKey === mainSessionKey ? 'main' : 'session');

/** A route in canonical form, or `undefined` when it says nothing. */
export function normalizeChannelRouteRef(input) {
  if (!input) return undefined;
  const channel = normalizeLowercaseStringOrEmpty(input.channel);
  const accountId = typeof input.accountId === 'string' ? normalizeOptionalAccountId(input.accountId) : undefined;
  const to = normalizeOptionalString(input.to);
  const rawTo = normalizeOptionalString(input.rawTo);
  const id = normalizeOptionalThreadValue(input.threadId);
  if (!channel && !to && !accountId && id === undefined) return undefined;
  const route = {};
  if (channel) route.channel = channel;
  if (accountId) route.accountId = accountId;
  if (to) route.target = { to, ...(rawTo && rawTo !== to ? { rawTo } : {}), ...(input.chatType ? { chatType: input.chatType } : {}) };
  if (id !== undefined) {
    route.thread = { id, ...(input.threadKind ? { kind: input.threadKind } : {}), ...(input.threadSource ? { source: input.threadSource } : {}) };
  }
  return route;
}

export const normalizeChannelRouteTarget = (input) => (input ? normalizeChannelRouteRef(input) : undefined);

/** A key that is equal for equal routes. */
export function channelRouteDedupeKey(input) {
  const route = normalizeChannelRouteTarget(input);
  const thread = route?.thread?.id;
  return JSON.stringify([route?.channel ?? '', route?.target?.to ?? '', route?.accountId ?? '', thread === undefined ? '' : String(thread)]);
}

/** Whether two routes are the same in all parts. */
export function channelRouteTargetsMatchExact({ left, right }) {
  const [a, b] = [normalizeChannelRouteTarget(left), normalizeChannelRouteTarget(right)];
  return Boolean(a?.channel && b?.channel) && channelRouteDedupeKey(left) === channelRouteDedupeKey(right);
}

/** The owner of the main session when an allow list names exactly one person. */
export function resolvePinnedMainDmOwnerFromAllowlist({ dmScope = 'main', allowFrom, normalizeEntry }) {
  const entries = Array.isArray(allowFrom) ? allowFrom.map(String) : [];
  if (dmScope !== 'main' || entries.some((entry) => entry.trim() === '*')) return null;
  const owners = [...new Set(entries.map((entry) => normalizeEntry(entry)).filter(Boolean))];
  return owners.length === 1 ? owners[0] : null;
}

/** The parts of an agent's session key, or `null`. */
export function parseAgentSessionKey(sessionKey) {
  const [word, agentId, ...rest] = normalizeLowercaseStringOrEmpty(sessionKey).split(':').filter(Boolean);
  return word === 'agent' && agentId?.trim() && rest.length > 0 ? { agentId: agentId.trim(), rest: rest.join(':') } : null;
}

/** The agent that a session key belongs to; `main` when it names none. */
export const resolveAgentIdFromSessionKey = (sessionKey) => normalizeAgentId(parseAgentSessionKey(sessionKey)?.agentId);
