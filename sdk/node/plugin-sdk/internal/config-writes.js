// Whether a channel may write the configuration.
import { normalizeAccountId, resolveAccountEntry } from './accounts.js';
import { isRecord, normalizeOptionalLowercaseString } from './strings.js';

/** Whether a channel, or an account of it, lets its users write the configuration; yes unless it says no. @param {any} params @returns {boolean} */
export function resolveChannelConfigWrites({ cfg, channelId, accountId }) {
  const section = channelId ? cfg.channels?.[channelId] : undefined;
  if (!isRecord(section)) return true;
  return (resolveAccountEntry(section.accounts, normalizeAccountId(accountId))?.configWrites ?? section.configWrites) !== false;
}

function scopesOf(target) {
  if (!target || target.kind === 'global') return [];
  return target.kind === 'ambiguous' ? target.scopes : [target.scope];
}

/** Whether a write from one place to another is allowed, and what forbids it. @param {any} params @returns {{allowed: boolean, reason?: string, blockedScope?: any}} */
export function authorizeConfigWrite({ cfg, origin, target, allowBypass }) {
  if (allowBypass) return { allowed: true };
  if (target?.kind === 'ambiguous') return { allowed: false, reason: 'ambiguous-target' };
  const open = ({ channelId, accountId }) => !channelId || resolveChannelConfigWrites({ cfg, channelId, accountId });
  if (origin && !open(origin)) return { allowed: false, reason: 'origin-disabled', blockedScope: { kind: 'origin', scope: origin } };
  const scope = scopesOf(target).find((candidate) => !open(candidate));
  return scope ? { allowed: false, reason: 'target-disabled', blockedScope: { kind: 'target', scope } } : { allowed: true };
}

/** Whether the sender is an administrator of the gateway who writes through its own page. @param {{channel?: string, gatewayClientScopes?: string[]}} params @returns {boolean} */
export const canBypassConfigWritePolicy = ({ channel, gatewayClientScopes }) =>
  normalizeOptionalLowercaseString(channel) === 'webchat' && gatewayClientScopes?.includes('operator.admin') === true;

/** What the user is told. @param {any} params @returns {string} */
export function formatConfigWriteDeniedMessage({ result, fallbackChannelId }) {
  if (result.reason === 'ambiguous-target') return '⚠️ A channel may not replace whole channel or account collections with /config. Name a narrower path, or do it as an administrator of the gateway.';
  const { channelId, accountId } = result.blockedScope?.scope ?? {};
  const channel = channelId ?? fallbackChannelId;
  const path = `channels.${channel ?? '<channel>'}${channelId && accountId ? `.accounts.${accountId}` : ''}.configWrites=true`;
  return `⚠️ Config writes are disabled for ${channel ?? 'this channel'}. Set ${path} to enable.`;
}
