// Whether answers of a session may be sent, by its own row and by `session.sendPolicy`.
import { normalizeChatType } from './accounts.js';
import { normalizeLowercaseStringOrEmpty, normalizeOptionalLowercaseString } from './strings.js';

const KINDS = ['group', 'channel', 'direct', 'dm'];
const word = normalizeOptionalLowercaseString;
const decision = (value) => ['allow', 'deny'].find((one) => one === word(value));

/** The parts of a key without the agent's. */
function partsOf(key) {
  const parts = (key ?? '').split(':').filter(Boolean);
  return parts.length >= 3 && parts[0] === 'agent' ? parts.slice(2) : parts;
}

function channelOf(key) {
  const parts = partsOf(key);
  return KINDS.includes(parts[1]) && parts.length >= 3 || KINDS.includes(parts[2]) && parts.length >= 4 ? word(parts[0]) : undefined;
}

function chatTypeOf(key) {
  const parts = partsOf(word(key));
  const kind = KINDS.find((one) => parts.includes(one));
  if (kind) return kind;
  const text = parts.join(':');
  if (/^(?:whatsapp:)?[^:]+@g\.us$/.test(text)) return 'group';
  return /^discord:(?:[^:]+:)?guild-[^:]+:channel-[^:]+$/.test(text) ? 'channel' : undefined;
}

/**
 * @param {{cfg: any, entry?: {sendPolicy?: string, channel?: string, lastChannel?: string, chatType?: string}, sessionKey?: string, channel?: string, chatType?: string}} params
 * @returns {'allow' | 'deny'}
 */
export function resolveSendPolicy({ cfg, entry, sessionKey, channel, chatType }) {
  const policy = cfg.session?.sendPolicy;
  const own = decision(entry?.sendPolicy);
  if (own || !policy) return own ?? 'allow';
  const whole = normalizeLowercaseStringOrEmpty(sessionKey);
  const parts = (sessionKey ?? '').split(':').filter(Boolean);
  const rest = parts.length >= 3 && parts[0] === 'agent' ? normalizeLowercaseStringOrEmpty(partsOf(sessionKey).join(':')) : whole;
  const via = word(channel) ?? word(entry?.channel) ?? word(entry?.lastChannel) ?? channelOf(sessionKey);
  const kind = normalizeChatType(chatType ?? entry?.chatType) ?? normalizeChatType(chatTypeOf(sessionKey));
  const fitting = (policy.rules ?? []).filter(Boolean).filter(({ match = {} }) => {
    const [wantedChannel, wantedKind, prefix, rawPrefix] = [word(match?.channel), normalizeChatType(match?.chatType), word(match?.keyPrefix), word(match?.rawKeyPrefix)];
    return (!wantedChannel || wantedChannel === via) && (!wantedKind || wantedKind === kind) && (!rawPrefix || whole.startsWith(rawPrefix))
      && (!prefix || whole.startsWith(prefix) || rest.startsWith(prefix));
  });
  if (fitting.some(({ action }) => decision(action) === 'deny')) return 'deny';
  return fitting.length > 0 ? 'allow' : decision(policy.default) ?? 'allow';
}
