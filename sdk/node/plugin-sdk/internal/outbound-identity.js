// Who an agent is to the people in a channel.
import { resolveAgentAvatar } from './agent-avatar.js';
import { resolveAgentIdentity } from './agent-identity.js';
import { normalizeOptionalString } from './strings.js';

/** Who an agent is in messages of a channel; `undefined` for nobody in particular. @param {object} cfg @param {string} agentId @returns {{name?: string, emoji?: string, avatarUrl?: string, theme?: string} | undefined} */
export function resolveAgentOutboundIdentity(cfg, agentId) {
  const identity = resolveAgentIdentity(cfg, agentId);
  const avatar = resolveAgentAvatar(cfg, agentId);
  const shown = { name: identity?.name, avatarUrl: avatar.kind === 'remote' ? avatar.url : undefined, emoji: identity?.emoji, theme: identity?.theme };
  const known = Object.fromEntries(Object.entries(shown).map(([key, value]) => [key, normalizeOptionalString(value)]));
  return Object.values(known).some(Boolean) ? known : undefined;
}
