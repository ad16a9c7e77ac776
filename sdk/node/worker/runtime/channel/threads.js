// How long threads stay bound to a session: the channel that has them decides (RT-138).
import { plugins } from '../../state.js';
import { askSync } from '../group.js';

const MEMBERS = ['setIdleTimeoutBySessionKey', 'setMaxAgeBySessionKey'];

/** A channel of this worker; the host could not ask it while it waits. */
function localBindings(channelId) {
  const wanted = String(channelId ?? '').trim().toLowerCase();
  for (const plugin of plugins.values()) {
    for (const row of plugin.channels?.values() ?? []) if (row.id.toLowerCase() === wanted) return row.channel.conversationBindings ?? {};
  }
  return undefined;
}

/** `{setIdleTimeoutBySessionKey, setMaxAgeBySessionKey}`: each returns the bindings that it changed, none for a channel without threads. */
export function threadBindings(plugin) {
  const call = (member) => (params = {}) => {
    const { channelId, ...rest } = params;
    const own = localBindings(channelId);
    if (!own) return askSync(plugin, 'host.channel.threadBindings', { channel: channelId, member, params: rest }) ?? [];
    return own[member]?.(rest) ?? [];
  };
  return Object.fromEntries(MEMBERS.map((member) => [member, call(member)]));
}
