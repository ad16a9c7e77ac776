// The session and the requester of an outgoing message.
import { normalizeChatType } from './accounts.js';
import { resolveAgentIdFromSessionKey } from './session-keys.js';
import { normalizeOptionalString } from './strings.js';

const REQUESTER = ['requesterAccountId', 'requesterSenderId', 'requesterSenderName', 'requesterSenderUsername', 'requesterSenderE164'];

function conversationTypeOf({ conversationType, isGroup }) {
  const type = normalizeChatType(conversationType);
  if (type) return type === 'direct' ? 'direct' : 'group';
  return typeof isGroup === 'boolean' ? (isGroup ? 'group' : 'direct') : undefined;
}

/** What policies and hooks are told of an outgoing message; `undefined` when nothing is known. @param {any} params @returns {any} */
export function buildOutboundSessionContext(params) {
  const key = normalizeOptionalString(params.sessionKey);
  const context = {
    key,
    policyKey: normalizeOptionalString(params.policySessionKey),
    conversationType: conversationTypeOf(params),
    agentId: normalizeOptionalString(params.agentId) ?? (key ? resolveAgentIdFromSessionKey(key) : undefined),
    ...Object.fromEntries(REQUESTER.map((name) => [name, normalizeOptionalString(params[name])])),
  };
  const known = Object.entries(context).filter(([, value]) => value);
  return known.length > 0 ? Object.fromEntries(known) : undefined;
}
