// Adapter `channel`: what the host asks of a channel plugin. Accounts, contexts and sockets stay on this side.
import { accountLog, channelRow, channelRuntime, currentConfig, runtimeEnv, setStatus, statusOf } from '../channels.js';
import { send } from './channel/send.js';
import { status } from './channel/status.js';

const OPERATIONS = { accounts, start, stop, logout, status, send, target, pairing, action };

/** Runs one operation. */
export function run(handle, [request], context) {
  const operation = OPERATIONS[request?.op];
  if (!operation) throw Object.assign(new Error(`unknown channel operation \`${request?.op}\``), { code: 'NOT_FOUND' });
  return operation(channelRow(handle.pluginId, request.channelId), request, context);
}

const isObject = (value) => value !== null && typeof value === 'object';

/** What `config` says of every account. An account that cannot be resolved is told with its error and does not hide the others. */
async function accounts(row, { cfg: given }) {
  const { config } = row.channel;
  const cfg = currentConfig(given);
  const ids = [...new Set([...((await config.listAccountIds(cfg)) ?? [])].map(String))];
  const rows = [];
  for (const accountId of ids) rows.push(await describe(config, cfg, accountId));
  return { accounts: rows, defaultAccountId: config.defaultAccountId?.(cfg) ?? ids[0] ?? 'default' };
}

async function describe(config, cfg, accountId) {
  try {
    const account = await config.resolveAccount(cfg, accountId);
    const enabled = config.isEnabled ? Boolean(config.isEnabled(account, cfg)) : !isObject(account) || account.enabled !== false;
    const configured = config.isConfigured ? Boolean(await config.isConfigured(account, cfg)) : true;
    const described = config.describeAccount?.(account, cfg);
    const name = typeof account?.name === 'string' ? account.name : undefined;
    const reason = !enabled ? (config.disabledReason?.(account, cfg) ?? 'disabled') : (config.unconfiguredReason?.(account, cfg) ?? 'not configured');
    return { ...(name ? { name } : {}), ...plain(described), accountId, enabled, configured, ...(enabled && configured ? {} : { reason }) };
  } catch (error) {
    return { accountId, enabled: true, configured: false, reason: String(error?.message ?? error) };
  }
}

/** Data only: an account description may hold clients and functions. */
export function plain(value) {
  if (!isObject(value)) return undefined;
  return JSON.parse(JSON.stringify(value, (_key, member) => (typeof member === 'bigint' ? String(member) : member)));
}

async function accountContext(row, { cfg: given, accountId }) {
  const cfg = currentConfig(given);
  const account = await row.channel.config.resolveAccount(cfg, accountId);
  return { cfg, accountId, account, runtime: runtimeEnv(row, accountId), log: accountLog(row, accountId) };
}

function gatewayContext(row, base, abortSignal) {
  const { accountId } = base;
  return {
    ...base,
    abortSignal,
    getStatus: () => statusOf(row, accountId),
    setStatus: (next) => void setStatus(row, accountId, next),
    channelRuntime: channelRuntime(row),
  };
}

/** Runs an account until its function settles. */
async function start(row, request) {
  const { gateway } = row.channel;
  row.accounts.delete(request.accountId);
  Object.assign(statusOf(row, request.accountId), request.status);
  const base = await accountContext(row, request);
  await gateway.startAccount(gatewayContext(row, base, request.signal));
}

async function stop(row, request, { signal }) {
  if (typeof row.channel.gateway?.stopAccount !== 'function') return;
  const base = await accountContext(row, request);
  await row.channel.gateway.stopAccount(gatewayContext(row, base, signal));
}

async function logout(row, request) {
  const result = await row.channel.gateway.logoutAccount(await accountContext(row, request));
  return { cleared: false, ...plain(result) };
}

/** The normalised target, or why there is none. */
async function target(row, { to, accountId, mode }) {
  const { outbound, messaging, config } = row.channel;
  const cfg = currentConfig();
  if (typeof outbound?.resolveTarget === 'function') {
    const allowFrom = config.resolveAllowFrom?.({ cfg, accountId })?.map(String);
    const found = await outbound.resolveTarget({ cfg, to, allowFrom, accountId, mode });
    return found?.ok ? { ok: true, to: found.to } : { ok: false, error: String(found?.error?.message ?? 'the channel does not know this target') };
  }
  const fallback = to ?? config.resolveDefaultTo?.({ cfg, accountId });
  if (typeof fallback !== 'string' || !fallback.trim()) return { ok: false, error: 'no target is given and the channel has no default one' };
  const normalized = messaging?.normalizeTarget?.(fallback.trim());
  return { ok: true, to: normalized ?? fallback.trim() };
}

/** `normalize` an allow entry, or `notify` a sender who was approved. */
async function pairing(row, { step, id, accountId }) {
  const adapter = row.channel.pairing;
  if (step === 'normalize') return { id: adapter?.normalizeAllowEntry?.(id) ?? id, idLabel: adapter?.idLabel };
  await adapter?.notifyApproval?.({ cfg: currentConfig(), id, accountId, runtime: runtimeEnv(row, accountId) });
  return { notified: Boolean(adapter?.notifyApproval) };
}

/** `describe` the message tool's actions, or `handle` one. */
async function action(row, { step, ...params }, { signal }) {
  const { actions } = row.channel;
  const cfg = currentConfig();
  if (step === 'describe') {
    const found = (await actions?.describeMessageTool?.({ cfg, ...params })) ?? {};
    return { actions: [...(found.actions ?? [])].map(String), capabilities: [...(found.capabilities ?? [])].map(String), schema: plain(found.schema) };
  }
  if (typeof actions?.handleAction !== 'function') return { handled: false };
  if (typeof actions.supportsAction === 'function' && !actions.supportsAction({ action: params.action })) return { handled: false };
  const result = await actions.handleAction({ channel: row.id, cfg, ...params, abortSignal: signal });
  return { handled: true, result };
}
