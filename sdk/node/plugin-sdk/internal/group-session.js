// Which session a message of a group belongs to.
import { snapshot } from '../../worker/state.js';
import { normalizeAgentId } from './accounts.js';
import { knownChatChannelId } from './chat-meta.js';
import { buildAgentMainSessionKey } from './session-keys.js';
import { normalizeLowercaseStringOrEmpty, normalizeOptionalLowercaseString, normalizeOptionalString } from './strings.js';

const KINDS = new Set(['group', 'channel']);
const partsOf = (address) => address.split(':').filter(Boolean);

/** Whether a word is a channel's id: a well-known one, or one that the configuration has. */
const isChannel = (word) => word === 'webchat' || knownChatChannelId(word) === word || Object.hasOwn(snapshot.config?.channels ?? {}, word);

/** The id of the group that an answer goes to. */
function answeredGroup(to, provider) {
  const parts = partsOf(to);
  if (parts.length < 2) return '';
  const [head, second] = [parts[0].toLowerCase(), parts[1].toLowerCase()];
  if (KINDS.has(second) && (head === provider || isChannel(head))) return parts.slice(2).join(':');
  return [provider, 'chat', 'room', 'group', 'channel'].includes(head) ? parts.slice(1).join(':') : '';
}

/**
 * The session of a group's message.
 * @param {{From?: string, To?: string, OriginatingTo?: string, ChatType?: string, Provider?: string}} ctx
 * @returns {{key: string, channel: string, id: string, chatType: 'group' | 'channel'} | null} `null` for other messages
 */
export function resolveGroupSessionKey(ctx) {
  const from = normalizeOptionalString(ctx.From) ?? '';
  const said = normalizeOptionalLowercaseString(ctx.ChatType);
  const chatType = KINDS.has(said) ? said : undefined;
  const [isGroup, inChannel] = [from.includes(':group:'), from.includes(':channel:')];
  if (!chatType && !isGroup && !inChannel) return null;
  const parts = partsOf(from);
  const head = normalizeLowercaseStringOrEmpty(parts[0]);
  const named = Boolean(head) && isChannel(head);
  const channel = named ? head : normalizeOptionalLowercaseString(ctx.Provider);
  if (!channel) return null;
  const second = normalizeLowercaseStringOrEmpty(parts[1]);
  const told = KINDS.has(second);
  const kind = told ? second : inChannel || chatType === 'channel' ? 'channel' : 'group';
  const answered = !told && chatType ? answeredGroup(normalizeOptionalString(ctx.OriginatingTo ?? ctx.To) ?? '', channel) : '';
  const id = normalizeLowercaseStringOrEmpty(answered || (named ? parts.slice(told ? 2 : 1).join(':') : from));
  return id ? { key: `${channel}:${kind}:${id}`, channel, id, chatType: kind } : null;
}

/**
 * The session of a message: the one that it names, its group's, or the agent's main one.
 * @param {'per-sender' | 'global'} scope
 * @param {object} ctx
 * @param {string} [mainKey]
 * @param {string} [agentId]
 * @returns {string}
 */
export function resolveSessionKey(scope, ctx, mainKey, agentId = 'main') {
  const named = normalizeLowercaseStringOrEmpty(ctx.SessionKey);
  if (named) return named;
  if (scope === 'global') return 'global';
  const key = resolveGroupSessionKey(ctx)?.key ?? '';
  return /:(?:group|channel):/.test(key) ? `agent:${normalizeAgentId(agentId)}:${key}` : buildAgentMainSessionKey({ agentId, mainKey });
}
