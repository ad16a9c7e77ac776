// Names of channels, and the channels that this worker has.
import { plugins, snapshot } from '../../worker/state.js';
import { knownChatChannelId } from './chat-meta.js';
import { normalizeOptionalLowercaseString } from './strings.js';

/** The channels of this worker. @returns {any[]} */
export const ownChannels = () =>
  [...plugins.values()].flatMap(({ given }) => (given ?? []).filter(({ method }) => method === 'registerChannel').map(({ args }) => args[0]?.plugin ?? args[0])).filter(Boolean);

/** A channel of this worker by its id or another name of it. @param {unknown} name @returns {any} */
export function ownChannel(name) {
  const key = normalizeOptionalLowercaseString(name);
  return key ? ownChannels().find(({ id, meta }) => [id, ...(meta?.aliases ?? [])].some((one) => normalizeOptionalLowercaseString(one) === key)) : undefined;
}

/** The id of a channel that is loaded here or configured. @param {unknown} raw @returns {string | null} */
export function normalizeChannelId(raw) {
  const key = normalizeOptionalLowercaseString(raw);
  if (!key) return null;
  return ownChannel(key)?.id ?? (Object.hasOwn(snapshot.config?.channels ?? {}, key) ? key : null);
}

/** The name of a channel as messages carry it; an unknown one stays. @param {unknown} raw @returns {string | undefined} */
export function normalizeMessageChannel(raw) {
  const key = normalizeOptionalLowercaseString(raw);
  if (!key || key === 'webchat') return key;
  return knownChatChannelId(key) ?? normalizeChannelId(key) ?? key;
}

/** The same, `undefined` when the gateway cannot deliver there. @param {unknown} raw @returns {string | undefined} */
export function resolveGatewayMessageChannel(raw) {
  const channel = normalizeMessageChannel(raw);
  return channel === 'webchat' || (channel && (knownChatChannelId(channel) || normalizeChannelId(channel))) ? channel : undefined;
}

/** How a channel takes spoken answers. @param {unknown} channel @returns {any} */
export const resolveChannelTtsVoiceDelivery = (channel) => ownChannel(channel)?.capabilities?.tts?.voice;

/** An account as the channel's inspection shows it; `null` for a channel without one, or of another plugin. @param {{channelId: string, cfg: object, accountId?: string | null}} params @returns {Promise<any>} */
export async function inspectReadOnlyChannelAccount({ channelId, cfg, accountId }) {
  const inspect = ownChannel(channelId)?.config?.inspectAccount;
  return inspect ? await inspect(cfg, accountId) : null;
}
