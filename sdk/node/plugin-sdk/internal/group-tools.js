// The tools that a group, or a sender in it, may use.
import { normalizeAccountId, resolveAccountEntry } from './accounts.js';
import { normalizeLowercaseStringOrEmpty, normalizeOptionalString } from './strings.js';

const KEY_TYPES = ['channel', 'id', 'e164', 'username', 'name'];
const warned = new Set();

const plainKey = (value, stripAt) => normalizeLowercaseStringOrEmpty(stripAt && value.trim().startsWith('@') ? value.trim().slice(1) : value);

function typedKey(value, type) {
  if (type !== 'channel') return plainKey(value, type === 'username');
  const [, channel, sender] = /^([^:]+):(.+)$/s.exec(value.trim()) ?? [];
  return channel && plainKey(channel) && plainKey(sender) ? `${plainKey(channel)}:${plainKey(sender)}` : '';
}

function warnUntyped(key) {
  if (warned.has(key)) return;
  warned.add(key);
  process.emitWarning(`the key \`${key}\` of \`toolsBySender\` has no type and is read as an id; write \`id:\`, \`channel:\`, \`e164:\`, \`username:\` or \`name:\` before it`, {
    type: 'DeprecationWarning', code: 'OPENCLAW_TOOLS_BY_SENDER_UNTYPED_KEY',
  });
}

function parseKey(raw) {
  const key = raw.trim();
  if (key === '' || key === '*') return key;
  const type = KEY_TYPES.find((name) => key.toLowerCase().startsWith(`${name}:`));
  if (!type) warnUntyped(key);
  const value = type ? typedKey(key.slice(type.length + 1), type) : plainKey(key, true);
  return value && `${type ?? 'id'}:${value}`;
}

/**
 * The policy of a sender. Keys are `channel:<channel>:<id>`, `id:`, `e164:`, `username:`, `name:` and `*`, in this order of strength.
 * @param {{toolsBySender?: Record<string, any>, messageProvider?: string, senderId?: string, senderName?: string, senderUsername?: string, senderE164?: string}} params
 * @returns {any}
 */
export function resolveToolsBySender({ toolsBySender, messageProvider, senderId, senderName, senderUsername, senderE164 }) {
  const policies = new Map();
  for (const [raw, policy] of Object.entries(toolsBySender ?? {})) {
    const key = policy ? parseKey(raw) : '';
    if (key && !(key !== '*' && policies.has(key))) policies.set(key, policy);
  }
  const id = normalizeOptionalString(senderId);
  const ids = id ? [plainKey(id), plainKey(id, true)] : [];
  const channel = normalizeOptionalString(messageProvider) && plainKey(messageProvider);
  const candidates = [
    ...(channel ? ids.map((value) => `channel:${channel}:${value}`) : []),
    ...ids.map((value) => `id:${value}`),
    ...Object.entries({ e164: senderE164, username: senderUsername, name: senderName }).map(([type, value]) => (normalizeOptionalString(value) ? `${type}:${typedKey(value, type)}` : '')),
    '*',
  ];
  return policies.get(candidates.find((key) => policies.has(key)));
}

function groupEntry(groups, id, ignoreCase) {
  if (!groups || groups[id] || !ignoreCase) return groups?.[id];
  const key = Object.keys(groups).find((name) => name !== '*' && name.toLowerCase() === id.toLowerCase());
  return key && groups[key];
}

/** The tool policy of a sender in a group: the group's for the sender, the group's, then those of `*`. @param {any} params @returns {any} */
export function resolveChannelGroupToolsPolicy({ cfg, channel, accountId, groupId, groupIdCandidates, groupIdCaseInsensitive, ...sender }) {
  const section = cfg.channels?.[channel];
  const groups = resolveAccountEntry(section?.accounts, normalizeAccountId(accountId))?.groups ?? section?.groups;
  const ids = [groupId, ...(Array.isArray(groupIdCandidates) ? groupIdCandidates : [])].map((id) => id?.trim()).filter(Boolean);
  const own = ids.map((id) => groupEntry(groups, id, groupIdCaseInsensitive)).find(Boolean);
  const bySender = (entry) => resolveToolsBySender({ ...sender, messageProvider: sender.messageProvider ?? channel, toolsBySender: entry?.toolsBySender });
  for (const entry of [own, groups?.['*']]) {
    const policy = bySender(entry) ?? entry?.tools;
    if (policy) return policy;
  }
  return undefined;
}
