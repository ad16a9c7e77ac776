// Channel plugins of this worker: the objects they registered, and the state of their accounts.
import { peer, plugins, snapshot } from './state.js';
import { createLogger } from './logger.js';

/** Longest text of a status member that the host keeps. */
const STATUS_TEXT = 2000;

/** Remembers the object behind a `registerChannel`. */
export function keepChannel(plugin, registration) {
  const channel = registration?.plugin && typeof registration.plugin === 'object' ? registration.plugin : registration;
  const id = channel?.id === undefined || channel?.id === null ? '' : String(channel.id).trim();
  if (!id) return;
  plugin.channels ??= new Map();
  plugin.channels.set(id, { id, channel, pluginId: plugin.id, accounts: new Map() });
}

/** The row `{id, channel, pluginId, accounts}` of a channel, by plugin and id. */
export function channelRow(pluginId, channelId) {
  const row = plugins.get(pluginId)?.channels?.get(channelId);
  if (!row) throw Object.assign(new Error(`the channel \`${channelId}\` is not registered in this worker`), { code: 'NOT_FOUND' });
  return row;
}

/** The status of an account as the plugin sees it. */
export function statusOf(row, accountId) {
  let status = row.accounts.get(accountId);
  if (!status) {
    status = { ...row.channel.status?.defaultRuntime, accountId };
    row.accounts.set(accountId, status);
  }
  return status;
}

/** Merges a plugin's change into the status and tells the host. */
export function setStatus(row, accountId, patch) {
  const next = { ...statusOf(row, accountId), ...patch, accountId };
  row.accounts.set(accountId, next);
  peer.note('channelStatus', { pluginId: row.pluginId, channelId: row.id, accountId, status: plainStatus(patch ?? {}) });
  return next;
}

/** What of a status is data; functions, sockets and long texts stay here. */
function plainStatus(patch) {
  const text = JSON.stringify(patch, (_key, value) => (typeof value === 'string' && value.length > STATUS_TEXT ? value.slice(0, STATUS_TEXT) : value));
  return JSON.parse(text ?? '{}');
}

/** The log sink of an account; lines begin with its id. */
export function accountLog(row, accountId) {
  const logger = createLogger(row.pluginId, { channel: row.id, accountId });
  const line = (level) => (message, ...rest) => logger[level](`[${accountId}] ${message}`, ...rest);
  return { trace: line('trace'), debug: line('debug'), info: line('info'), warn: line('warn'), error: line('error') };
}

/** The `runtime` of a channel's functions: where it prints, and an `exit` that only ends the account. */
export function runtimeEnv(row, accountId = 'default') {
  const log = accountLog(row, accountId);
  return {
    log: log.info,
    error: log.error,
    exit(code) {
      throw new Error(`the channel asked to exit with code ${code}`);
    },
  };
}

/** The channel surface of `api.runtime`, for `ctx.channelRuntime`. */
export function channelRuntime(row) {
  return plugins.get(row.pluginId)?.api?.runtime?.channel;
}

/** The newest configuration. */
export const currentConfig = (given) => given ?? snapshot.config;
