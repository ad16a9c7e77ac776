// Kinds of session keys, and the accounts that bindings tie to agents.
import { normalizeAccountId, normalizeAgentId } from './accounts.js';
import { resolveDefaultAgentId } from './agents.js';
import { buildAgentSessionKey, parseAgentSessionKey } from './session-keys.js';
import { normalizeLowercaseStringOrEmpty, normalizeOptionalString, normalizeOptionalStringifiedId } from './strings.js';

/** The agent that there is without naming any. */
export const DEFAULT_AGENT_ID = 'main';
/** The last part of a main session's key. */
export const DEFAULT_MAIN_KEY = 'main';

/** Text in lower case; `main` for none. @param {string | null} [value] @returns {string} */
export const normalizeMainKey = (value) => normalizeLowercaseStringOrEmpty(value) || DEFAULT_MAIN_KEY;

const restOf = (key) => parseAgentSessionKey(key)?.rest ?? '';
const isOf = (key, word) => normalizeLowercaseStringOrEmpty(key).startsWith(word) || restOf(key).startsWith(word);
/** Whether a key is that of an ACP session. @param {string | null} [key] @returns {boolean} */
export const isAcpSessionKey = (key) => isOf(key, 'acp:');
/** Whether a key is that of a subagent. @param {string | null} [key] @returns {boolean} */
export const isSubagentSessionKey = (key) => isOf(key, 'subagent:');
/** Whether a key is that of a scheduled run. @param {string | null} [key] @returns {boolean} */
export const isCronSessionKey = (key) => restOf(key).startsWith('cron:');

/** A key without its thread, and the thread. @param {string | null} [key] @returns {{ baseSessionKey?: string, threadId?: string }} */
export function parseThreadSessionSuffix(key) {
  const text = normalizeOptionalString(key);
  const at = text?.toLowerCase().lastIndexOf(':thread:') ?? -1;
  return { baseSessionKey: at < 0 ? text : text.slice(0, at), threadId: at < 0 ? undefined : normalizeOptionalString(text.slice(at + 8)) };
}

/** The key of a group's recent messages. @param {{ channel: string, accountId?: string, peerKind: string, peerId: string }} params @returns {string} */
export const buildGroupHistoryKey = ({ channel, accountId, peerKind, peerId }) =>
  `${normalizeLowercaseStringOrEmpty(channel) || 'unknown'}:${normalizeAccountId(accountId)}:${peerKind}:${normalizeLowercaseStringOrEmpty(peerId) || 'unknown'}`;

/** The key of the session that an outgoing message belongs to. @param {{ cfg: object, agentId: string, channel: string, accountId?: string, peer: object }} params @returns {string} */
export const buildOutboundBaseSessionKey = ({ cfg, agentId, channel, accountId, peer }) =>
  buildAgentSessionKey({ agentId, channel, accountId, peer, dmScope: cfg.session?.dmScope ?? 'main', identityLinks: cfg.session?.identityLinks });

/** The key under which the last route is kept. @param {{ route: { lastRoutePolicy: string, mainSessionKey: string }, sessionKey: string }} params @returns {string} */
export const resolveInboundLastRouteSessionKey = ({ route, sessionKey }) => (route.lastRoutePolicy === 'main' ? route.mainSessionKey : sessionKey);
export const normalizeOutboundThreadId = normalizeOptionalStringifiedId;

/** Bindings to one account of a channel. */
function boundAccounts(cfg, channelId) {
  const channel = normalizeLowercaseStringOrEmpty(channelId);
  const bindings = Array.isArray(cfg.bindings) ? cfg.bindings : [];
  return bindings.flatMap((binding) => {
    const match = binding?.match;
    const account = typeof match?.accountId === 'string' ? match.accountId.trim() : '';
    if (binding?.type === 'acp' || !channel || normalizeLowercaseStringOrEmpty(match?.channel) !== channel || !account || account === '*') return [];
    return [{ agentId: normalizeAgentId(binding.agentId), accountId: normalizeAccountId(account) }];
  });
}
/** The accounts of a channel that are bound to agents. @param {object} cfg @param {string} channelId @returns {string[]} */
export const listBoundAccountIds = (cfg, channelId) =>
  [...new Set(boundAccounts(cfg, channelId).map((row) => row.accountId))].sort((a, b) => a.localeCompare(b));
/** The account that is bound to the default agent. @param {object} cfg @param {string} channelId @returns {string | null} */
export const resolveDefaultAgentBoundAccountId = (cfg, channelId) =>
  boundAccounts(cfg, channelId).find((row) => row.agentId === normalizeAgentId(resolveDefaultAgentId(cfg)))?.accountId ?? null;

const account = (channel) => [`channels.${channel}.defaultAccount`, `channels.${channel}.accounts.default`];
/** How to say which account is the default one. @param {string} channel @returns {string} */
export const formatSetExplicitDefaultInstruction = (channel) => `Set ${account(channel)[0]} or add ${account(channel)[1]}`;
/** The same when only some accounts exist. @param {{ channelKey: string }} params @returns {string} */
export const formatSetExplicitDefaultToConfiguredInstruction = ({ channelKey }) => `Set ${account(channelKey)[0]} to one of these accounts, or add ${account(channelKey)[1]}`;
