// Status of one account: the plugin's snapshot and summary over what it reported, and a probe when asked for.
import { currentConfig, statusOf } from '../../channels.js';
import { plain } from '../channel.js';

/** `{snapshot, summary?, probe?, issues?}`. */
export async function status(row, { accountId, defaultAccountId, probe: wanted, timeoutMs, status: known }) {
  const { status: adapter, config } = row.channel;
  const cfg = currentConfig();
  const account = await config.resolveAccount(cfg, accountId);
  const runtime = { ...statusOf(row, accountId), ...known };
  const probe = wanted && adapter?.probeAccount ? await adapter.probeAccount({ account, timeoutMs, cfg }) : undefined;
  const built = (await adapter?.buildAccountSnapshot?.({ account, cfg, runtime, probe })) ?? config.describeAccount?.(account, cfg);
  const snapshot = { ...runtime, ...plain(built), accountId, ...(probe === undefined ? {} : { probe: plain({ probe }).probe }) };
  const summary = await adapter?.buildChannelSummary?.({ account, cfg, defaultAccountId, snapshot });
  const issues = adapter?.collectStatusIssues?.([snapshot]);
  return { snapshot, summary: plain(summary), issues: issues?.length ? plain({ issues }).issues : undefined };
}
