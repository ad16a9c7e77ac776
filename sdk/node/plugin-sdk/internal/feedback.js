// Log lines and small helpers of inbound channels.
import { normalizeOptionalLowercaseString, summarizeStringEntries } from './strings.js';

const at = (target) => (target ? ` target=${target}` : '');
export const logInboundDrop = ({ log, channel, reason, target }) => void log(`${channel}: drop ${reason}${at(target)}`);
export const logAckFailure = ({ log, channel, target, error }) => void log(`${channel} ack cleanup failed${at(target)}: ${String(error)}`);
export const logTypingFailure = ({ log, channel, target, action, error }) =>
  void log(`${channel} typing${action ? ` action=${action}` : ''} failed${at(target)}: ${String(error)}`);

/** Allow-list entries in lower case, without a prefix. */
export const formatAllowFromLowercase = ({ allowFrom, stripPrefixRe }) =>
  allowFrom
    .map((entry) => String(entry).trim())
    .filter(Boolean)
    .map((entry) => normalizeOptionalLowercaseString(stripPrefixRe ? entry.replace(stripPrefixRe, '') : entry))
    .filter(Boolean);

/** Logs which entries of an allow list were found. */
export function summarizeMapping(label, mapping, unresolved, runtime) {
  const line = (word, entries) => (entries.length > 0 ? [`${label} ${word}: ${summarizeStringEntries({ entries, limit: 6 })}`] : []);
  const lines = [...line('resolved', mapping), ...line('unresolved', unresolved)];
  if (lines.length > 0) runtime.log?.(lines.join('\n'));
}

/** Keeps a channel's object where the host's other parts of the same plugin find it. */
export const registerChannelRuntimeContext = ({ channelRuntime, channelId, accountId, capability, context, abortSignal }) =>
  channelRuntime?.runtimeContexts?.register({ channelId, accountId, capability, context, abortSignal }) ?? null;

/** The object under a key. @param {any} params @returns {any} */
export const getChannelRuntimeContext = ({ channelRuntime, channelId, accountId, capability }) => channelRuntime?.runtimeContexts?.get({ channelId, accountId, capability });
/** Hears of objects that come and go; `null` without a runtime. @param {any} params @returns {(() => void)|null} */
export const watchChannelRuntimeContexts = ({ channelRuntime, channelId, accountId, capability, onEvent }) =>
  channelRuntime?.runtimeContexts?.watch({ channelId, accountId, capability, onEvent }) ?? null;

/** The size limit of a channel's media in bytes. */
export function resolveChannelMediaMaxBytes({ cfg, accountId, resolveChannelLimitMb }) {
  const megabytes = resolveChannelLimitMb({ cfg, accountId: accountIdOf(accountId) }) || cfg.agents?.defaults?.mediaMaxMb;
  return megabytes ? megabytes * 1024 * 1024 : undefined;
}
const accountIdOf = (value) => (value ?? '').trim().toLowerCase() || 'default';
