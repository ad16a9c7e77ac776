// How an agent shows itself in messages.
import { resolveAgentConfig } from './agents.js';

const section = (cfg, channel) => (typeof cfg.channels?.[channel] === 'object' ? cfg.channels[channel] ?? undefined : undefined);

/** A setting of the account, else of the channel, else of all messages. */
function setting(cfg, key, { channel, accountId } = {}) {
  const own = channel ? section(cfg, channel) : undefined;
  return (accountId ? own?.accounts?.[accountId]?.[key] : undefined) ?? own?.[key] ?? cfg.messages?.[key];
}

/** Name, emoji and the like. @param {object} cfg @param {string} agentId */
export const resolveAgentIdentity = (cfg, agentId) => resolveAgentConfig(cfg, agentId)?.identity;

/** The reaction that says a message was seen. @param {object} cfg @param {string} agentId @param {{ channel?: string, accountId?: string }} [opts] @returns {string} */
export const resolveAckReaction = (cfg, agentId, opts) => setting(cfg, 'ackReaction', opts)?.trim() ?? (resolveAgentIdentity(cfg, agentId)?.emoji?.trim() || '👀');

/** The agent's name in brackets. @param {object} cfg @param {string} agentId @returns {string | undefined} */
export function resolveIdentityNamePrefix(cfg, agentId) {
  const name = resolveAgentIdentity(cfg, agentId)?.name?.trim();
  return name ? `[${name}]` : undefined;
}

/** What stands before messages. @param {object} cfg @param {string} agentId @param {{ configured?: string, hasAllowFrom?: boolean, fallback?: string }} [opts] @returns {string} */
export function resolveMessagePrefix(cfg, agentId, opts) {
  const configured = opts?.configured ?? cfg.messages?.messagePrefix;
  if (configured !== undefined) return configured;
  return opts?.hasAllowFrom === true ? '' : resolveIdentityNamePrefix(cfg, agentId) ?? opts?.fallback ?? '[openclaw]';
}

/** What stands before answers. @param {object} cfg @param {string} agentId @param {{ channel?: string, accountId?: string }} [opts] @returns {string | undefined} */
export function resolveResponsePrefix(cfg, agentId, opts) {
  const prefix = setting(cfg, 'responsePrefix', opts);
  return prefix === 'auto' ? resolveIdentityNamePrefix(cfg, agentId) : prefix;
}

/** Both prefixes. @param {object} cfg @param {string} agentId @param {object} [opts] @returns {{ messagePrefix: string, responsePrefix?: string }} */
export const resolveEffectiveMessagesConfig = (cfg, agentId, opts) => ({
  messagePrefix: resolveMessagePrefix(cfg, agentId, { hasAllowFrom: opts?.hasAllowFrom, fallback: opts?.fallbackMessagePrefix }),
  responsePrefix: resolveResponsePrefix(cfg, agentId, { channel: opts?.channel, accountId: opts?.accountId }),
});

/** The pauses between messages. @param {object} cfg @param {string} agentId @returns {{ mode?: string, minMs?: number, maxMs?: number } | undefined} */
export function resolveHumanDelayConfig(cfg, agentId) {
  const [defaults, own] = [cfg.agents?.defaults?.humanDelay, resolveAgentConfig(cfg, agentId)?.humanDelay];
  if (!defaults && !own) return undefined;
  return Object.fromEntries(['mode', 'minMs', 'maxMs'].map((key) => [key, own?.[key] ?? defaults?.[key]]));
}
