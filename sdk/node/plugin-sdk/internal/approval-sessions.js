// Where an approval request came from: the channel, account and conversation of its session.
import { normalizeAccountId, normalizeOptionalAccountId } from './accounts.js';
import { loadSessionStore } from './host.js';
import { resolveStorePath } from './paths.js';
import { parseAgentSessionKey } from './session-keys.js';
import { normalizeOptionalLowercaseString, normalizeOptionalString, normalizeOptionalThreadValue } from './strings.js';

const channelOf = normalizeOptionalLowercaseString;

/** The row of the request's session, when the gateway keeps one. */
function sessionOf({ cfg, request }) {
  const key = normalizeOptionalString(request.request.sessionKey);
  const agentId = parseAgentSessionKey(key)?.agentId ?? request.request.agentId ?? 'main';
  if (!key) return undefined;
  try {
    const store = loadSessionStore(resolveStorePath(cfg?.session?.store, { agentId }));
    return store?.[key] ?? store?.[key.toLowerCase()];
  } catch {
    return undefined;
  }
}

function bindingOf(params) {
  const entry = sessionOf(params);
  if (!entry) return undefined;
  const route = entry.deliveryContext ?? {};
  const origin = entry.origin ?? {};
  const channel = channelOf(entry.lastChannel ?? route.channel ?? origin.provider ?? entry.channel);
  return { channel, accountId: normalizeOptionalAccountId(entry.lastAccountId ?? route.accountId ?? origin.accountId) };
}

/**
 * The account that a request came through.
 * @param {{cfg: object, request: {request: object}, channel?: string | null}} params
 * @returns {string | null}
 */
export function resolveApprovalRequestAccountId(params) {
  const { turnSourceChannel, turnSourceAccountId } = params.request.request;
  const [wanted, turn] = [channelOf(params.channel), channelOf(turnSourceChannel)];
  if (wanted && turn && turn !== wanted) return null;
  const own = normalizeOptionalAccountId(turnSourceAccountId);
  if (own) return own;
  const session = bindingOf(params);
  return wanted && session?.channel && session.channel !== wanted ? null : (session?.accountId ?? null);
}

/**
 * The same for one channel; the session counts where the turn came from elsewhere.
 * @param {{cfg: object, request: {request: object}, channel: string}} params
 * @returns {string | null}
 */
export function resolveApprovalRequestChannelAccountId(params) {
  const wanted = channelOf(params.channel);
  if (!wanted) return null;
  const turn = channelOf(params.request.request.turnSourceChannel);
  if (!turn || turn === wanted) return resolveApprovalRequestAccountId(params);
  const session = bindingOf(params);
  return session?.channel === wanted ? (session.accountId ?? null) : null;
}

/**
 * Whether a request may be of a channel's account.
 * @param {{cfg: object, request: {request: object}, channel: string, accountId?: string | null}} params
 * @returns {boolean}
 */
export function doesApprovalRequestMatchChannelAccount(params) {
  const wanted = channelOf(params.channel);
  const turn = channelOf(params.request.request.turnSourceChannel);
  if (!wanted || (turn && turn !== wanted)) return false;
  const account = normalizeOptionalAccountId(params.accountId);
  const own = normalizeOptionalAccountId(params.request.request.turnSourceAccountId);
  if (own) return !account || account === own;
  const session = bindingOf(params);
  if (session?.channel && session.channel !== wanted) return false;
  return !account || !session?.accountId || account === session.accountId;
}

/**
 * Where answers of the request's session go.
 * @param {{cfg: object, request: {request: object}, turnSourceChannel?: string, turnSourceTo?: string, turnSourceAccountId?: string, turnSourceThreadId?: string | number}} params
 * @returns {{channel?: string, to: string, accountId?: string, threadId?: string | number} | null}
 */
export function resolveExecApprovalSessionTarget(params) {
  const entry = sessionOf(params);
  if (!entry) return null;
  const route = entry.deliveryContext ?? {};
  const turn = channelOf(params.turnSourceChannel);
  // A turn that names its own channel answers there, not where the session answered last.
  const target = turn
    ? { channel: turn, to: params.turnSourceTo, accountId: params.turnSourceAccountId, threadId: params.turnSourceThreadId }
    : { channel: entry.lastChannel ?? route.channel, to: entry.lastTo ?? route.to, accountId: entry.lastAccountId ?? route.accountId, threadId: entry.lastThreadId ?? route.threadId };
  const to = normalizeOptionalString(target.to);
  if (!to) return null;
  return { channel: normalizeOptionalString(target.channel), to, accountId: normalizeOptionalString(target.accountId), threadId: normalizeOptionalThreadValue(target.threadId) };
}

/**
 * The same from the request alone.
 * @param {{cfg: object, request: {request: object}}} params
 * @returns {{channel?: string, to: string, accountId?: string, threadId?: string | number} | null}
 */
export function resolveApprovalRequestSessionTarget({ cfg, request }) {
  const { turnSourceChannel, turnSourceTo, turnSourceAccountId, turnSourceThreadId } = request.request;
  return resolveExecApprovalSessionTarget({ cfg, request, turnSourceChannel, turnSourceTo, turnSourceAccountId, turnSourceThreadId });
}

/**
 * Where to ask, in the terms of one channel.
 * @param {object} params `cfg`, `request`, `channel`, `accountId`, `resolveTurnSourceTarget`, `resolveSessionTarget`, `targetsMatch`, `resolveFallbackTarget`
 * @returns {unknown} a target or `null`
 */
export function resolveApprovalRequestOriginTarget(params) {
  const { request, channel } = params;
  if (!doesApprovalRequestMatchChannelAccount(params)) return null;
  const turn = params.resolveTurnSourceTarget(request);
  const stored = resolveApprovalRequestSessionTarget(params);
  const session = stored && channelOf(stored.channel) === channelOf(channel) ? params.resolveSessionTarget(stored) : null;
  if (turn && session && !params.targetsMatch(turn, session)) return null;
  return turn ?? session ?? params.resolveFallbackTarget?.(request) ?? null;
}

/**
 * The conversation in a request's session key: `agent:a:chat:group:ID:thread:T`.
 * @param {{request: {request: object}, channel?: string | null}} params
 * @returns {object | null}
 */
export function resolveApprovalRequestSessionConversation({ request, channel }) {
  const key = normalizeOptionalString(request.request.sessionKey);
  const parts = key?.split(':').filter(Boolean) ?? [];
  const rest = parts[0]?.toLowerCase() === 'agent' ? parts.slice(2) : parts;
  const kind = rest[1]?.toLowerCase();
  if (rest.length < 3 || !['group', 'channel'].includes(kind)) return null;
  const wanted = channelOf(channel);
  const found = rest[0].toLowerCase();
  if (wanted && found !== wanted) return null;
  const rawId = rest.slice(2).join(':');
  const at = rawId.toLowerCase().lastIndexOf(':thread:');
  const id = at > 0 ? rawId.slice(0, at) : rawId;
  const threadId = at > 0 ? normalizeOptionalString(rawId.slice(at + ':thread:'.length)) : undefined;
  const prefix = key.slice(0, key.length - rawId.length);
  return { channel: found, kind, id, rawId, threadId, baseSessionKey: `${prefix}${id}`, baseConversationId: id, parentConversationCandidates: threadId ? [id] : [] };
}

/**
 * Whether a sender is one of the targets that approvals are sent to.
 * @param {{cfg: object, senderId?: string | null, accountId?: string | null, channel: string, normalizeSenderId?: (id: string) => string | undefined, matchTarget: (params: object) => boolean}} params
 * @returns {boolean}
 */
export function isChannelExecApprovalTargetRecipient({ cfg, senderId, accountId, channel, normalizeSenderId = normalizeOptionalString, matchTarget }) {
  const { enabled, mode, targets } = cfg.approvals?.exec ?? {};
  const sender = senderId ? normalizeSenderId(senderId) : undefined;
  if (!sender || enabled !== true || !['targets', 'both'].includes(mode) || !targets) return false;
  const account = accountId ? normalizeAccountId(accountId) : undefined;
  return targets.some((target) => {
    if (channelOf(target.channel) !== channelOf(channel)) return false;
    if (account && target.accountId && normalizeAccountId(target.accountId) !== account) return false;
    return matchTarget({ target, normalizedSenderId: sender, normalizedAccountId: account });
  });
}
