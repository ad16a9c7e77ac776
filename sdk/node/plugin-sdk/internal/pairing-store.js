// Unknown senders of channels: the host keeps the requests and the approved senders.
import { peer, plugins } from '../../worker/state.js';

function ask(step, params) {
  if (!peer) throw Object.assign(new Error('pairing is kept by the gateway; this works only inside a plugin worker'), { code: 'NOT_BUILT' });
  const pluginId = plugins.size === 1 ? plugins.keys().next().value : undefined;
  return peer.request(`host.channel.pairing.${step}`, { pluginId, args: [params] });
}

/** The pairing adapter of a channel of this worker. */
function adapterOf(channel) {
  for (const plugin of plugins.values()) {
    const row = plugin.channels?.get(String(channel).trim().toLowerCase());
    if (row) return row.channel.pairing;
  }
  return undefined;
}

/** Entries in the form of the channel, each once. */
export function normalizedEntries(channel, entries) {
  const normalize = adapterOf(channel)?.normalizeAllowEntry;
  if (typeof normalize !== 'function') return entries;
  const out = entries.map((entry) => String(normalize(entry) ?? '').trim()).filter((entry) => entry && entry !== '*');
  return [...new Set(out)];
}

/**
 * Notes that an unknown sender wrote; the code is sent only when the request is new.
 * @param {{channel: string, id: string | number, accountId?: string, meta?: object}} params
 * @returns {Promise<{code: string, created: boolean}>}
 */
export const upsertChannelPairingRequest = ({ channel, id, accountId, meta }) => ask('upsertPairingRequest', { channel, id, accountId, meta });

/** The approved senders of an account. */
export const readChannelAllowFromStore = async (channel, _env, accountId) =>
  normalizedEntries(channel, await ask('readAllowFromStore', { channel, accountId }));

/** As {@link readChannelAllowFromStore}, at once. */
export function readChannelAllowFromStoreSync(channel, _env, accountId) {
  if (!peer) throw Object.assign(new Error('pairing is kept by the gateway; this works only inside a plugin worker'), { code: 'NOT_BUILT' });
  const pluginId = plugins.size === 1 ? plugins.keys().next().value : undefined;
  return normalizedEntries(channel, peer.requestSync('host.channel.pairing.readAllowFromStore', { pluginId, args: [{ channel, accountId }] }));
}

/** The requests that wait, oldest first. */
export const listChannelPairingRequests = (channel, _env, accountId) => ask('listRequests', { channel, accountId });

/** Admits the sender of a code; null when no request has it. */
export const approveChannelPairingCode = ({ channel, code, accountId }) => ask('approve', { channel, code, accountId });

const changed = (step) => async ({ channel, entry, accountId }) => {
  const [normalized] = normalizedEntries(channel, [String(entry ?? '').trim()]);
  if (!normalized || normalized === '*') return { changed: false, allowFrom: await readChannelAllowFromStore(channel, undefined, accountId) };
  return ask(step, { channel, entry: normalized, accountId });
};

/** Admits a sender. */
export const addChannelAllowFromStoreEntry = changed('allow');
/** Takes a sender out. */
export const removeChannelAllowFromStoreEntry = changed('forbid');

/** Approved senders of older releases, which knew no accounts: the gateway reads them with those of the default account. */
export const readLegacyChannelAllowFromStore = (channel, env) => readChannelAllowFromStore(channel, env);
/** As {@link readLegacyChannelAllowFromStore}, at once. */
export const readLegacyChannelAllowFromStoreSync = (channel, env) => readChannelAllowFromStoreSync(channel, env);
/** Nothing is kept in this process. */
export const clearPairingAllowFromReadCacheForTest = () => {};
