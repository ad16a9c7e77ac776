// Which agent and session answer a conversation: the bindings of the configuration, the most specific first.
import { normalizeAccountId, normalizeAgentId, normalizeChatType } from './accounts.js';
import { listAgentEntries, resolveDefaultAgentId } from './agents.js';
import { buildAgentMainSessionKey, buildAgentSessionKey, deriveLastRoutePolicy } from './session-keys.js';
import { normalizeLowercaseStringOrEmpty } from './strings.js';

const idOf = (value) => (['string', 'number', 'bigint'].includes(typeof value) ? String(value).trim() : '');
const peerOf = (peer) => (peer ? { kind: normalizeChatType(peer.kind) ?? peer.kind, id: idOf(peer.id) } : null);
const rolesOf = (roles) => (Array.isArray(roles) && roles.length > 0 ? roles : null);

/** What a binding asks of a conversation, and how specific that is. */
function constraintOf(binding) {
  const { match } = binding;
  const [guildId, teamId, roles, pattern] = [idOf(match.guildId), idOf(match.teamId), rolesOf(match.roles), (match.accountId ?? '').trim()];
  const kind = normalizeChatType(match.peer?.kind);
  const id = idOf(match.peer?.id);
  const tier = () => {
    if (match.peer && kind && id) return id === '*' ? 'peer.wildcard' : 'peer';
    if (guildId) return roles ? 'guild+roles' : 'guild';
    if (teamId) return 'team';
    return pattern === '*' ? 'channel' : 'account';
  };
  return { binding, pattern, guildId, teamId, roles, peer: match.peer ? { kind, id } : null, tier: tier() };
}

function constraintsFor(cfg, channel, accountId) {
  const all = Array.isArray(cfg.bindings) ? cfg.bindings : [];
  return all
    .filter((binding) => binding && typeof binding === 'object' && binding.type !== 'acp' && channel && normalizeLowercaseStringOrEmpty(binding.match?.channel) === channel)
    .map(constraintOf)
    .filter(({ pattern }) => pattern === '*' || normalizeAccountId(pattern) === accountId);
}

/** Groups and channels stand for each other. */
const KINDS = { group: ['group', 'channel'], channel: ['channel', 'group'] };
const kindsOf = (kind) => KINDS[kind] ?? [kind];
function peerFits(wanted, peer) {
  if (!wanted) return true;
  if (!wanted.kind || !wanted.id || !peer || !kindsOf(wanted.kind).includes(peer.kind)) return false;
  return wanted.id === '*' || wanted.id === peer.id;
}

/** The agent of a binding if there is one of that name, else the default one. */
function agentOf(cfg, agentId) {
  const wanted = (agentId ?? '').trim();
  const ids = listAgentEntries(cfg).map((entry) => entry.id?.trim()).filter(Boolean).map((id) => normalizeAgentId(id));
  const fallback = normalizeAgentId(resolveDefaultAgentId(cfg));
  if (!wanted) return fallback;
  const id = normalizeAgentId(wanted);
  return ids.length === 0 || ids.includes(id) ? id : fallback;
}

/**
 * The agent, the session and the binding that decided.
 * @param {{cfg: any, channel: string, accountId?: string|null, peer?: {kind: string, id: string}|null, parentPeer?: {kind: string, id: string}|null, guildId?: string|null, teamId?: string|null, memberRoleIds?: string[]}} input
 * @returns {{agentId: string, channel: string, accountId: string, sessionKey: string, mainSessionKey: string, lastRoutePolicy: 'main'|'session', matchedBy: string}}
 */
export function resolveAgentRoute(input) {
  const { cfg } = input;
  const channel = normalizeLowercaseStringOrEmpty(input.channel);
  const accountId = normalizeAccountId(input.accountId);
  const [peer, parent, guildId, teamId] = [peerOf(input.peer), peerOf(input.parentPeer), idOf(input.guildId), idOf(input.teamId)];
  const roles = new Set(input.memberRoleIds ?? []);
  const constraints = constraintsFor(cfg, channel, accountId);
  const fits = (one, at) => peerFits(one.peer, at) && (!one.guildId || one.guildId === guildId) && (!one.teamId || one.teamId === teamId) && (!one.roles || one.roles.some((role) => roles.has(role)));
  const ofTier = (tier) => constraints.filter((one) => one.tier === tier);
  /** Bindings of the very kind come before those of the kind that stands for it. */
  const ofPeer = (at) => kindsOf(at.kind).flatMap((kind) => ofTier('peer').filter((one) => one.peer.kind === kind));
  const tiers = [
    ['peer', peer, () => ofPeer(peer), peer],
    ['peer.parent', parent?.id, () => ofPeer(parent), parent],
    ['peer.wildcard', peer, () => ofTier('peer.wildcard'), peer],
    ['guild+roles', guildId, () => ofTier('guild+roles'), peer],
    ['guild', guildId, () => ofTier('guild'), peer],
    ['team', teamId, () => ofTier('team'), peer],
    ['account', true, () => ofTier('account'), peer],
    ['channel', true, () => ofTier('channel'), peer],
  ];
  const choose = (wanted, matchedBy, session) => {
    const agentId = agentOf(cfg, wanted);
    const dmScope = session?.dmScope ?? cfg.session?.dmScope ?? 'main';
    const sessionKey = buildAgentSessionKey({ agentId, channel, accountId, peer, dmScope, identityLinks: cfg.session?.identityLinks });
    const mainSessionKey = buildAgentMainSessionKey({ agentId });
    return { agentId, channel, accountId, sessionKey, mainSessionKey, lastRoutePolicy: deriveLastRoutePolicy({ sessionKey, mainSessionKey }), matchedBy };
  };
  for (const [name, enabled, candidates, at] of tiers) {
    const found = enabled ? candidates().find((one) => fits(one, at)) : undefined;
    if (found) return choose(found.binding.agentId, `binding.${name}`, found.binding.session);
  }
  return choose(resolveDefaultAgentId(cfg), 'default');
}
