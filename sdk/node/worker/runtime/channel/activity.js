// When a channel was last heard and last spoke, by account.
import { peer } from '../../state.js';

const rows = new Map();
const keyOf = (channel, accountId) => JSON.stringify([channel, accountId || 'default']);

/** Notes an activity here and at the host, whose status shows it. */
export function noteActivity(plugin, channel, accountId, direction, at = Date.now()) {
  if (!channel) return;
  const key = keyOf(channel, accountId);
  const row = rows.get(key) ?? { inboundAt: null, outboundAt: null };
  const [member, status] = direction === 'outbound' ? ['outboundAt', 'lastOutboundAt'] : ['inboundAt', 'lastInboundAt'];
  row[member] = at;
  rows.set(key, row);
  peer.note('channelStatus', { pluginId: plugin.id, channelId: channel, accountId: accountId || 'default', status: { [status]: at } });
}

/** `{inboundAt, outboundAt}`, null for never. */
export const activityOf = ({ channel, accountId }) => ({ inboundAt: null, outboundAt: null, ...rows.get(keyOf(channel, accountId)) });
