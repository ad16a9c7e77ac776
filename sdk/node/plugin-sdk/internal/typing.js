// Typing indicators and reply prefixes of a message pipeline.
import { resolveTimerTimeoutMs } from './numbers.js';
import { normalizeAccountId, resolveAccountEntry } from './accounts.js';
import { normalizeOptionalString } from './strings.js';

/** Callbacks that show "typing" while a reply is made: repeated, given up after failures, and never for ever. */
export function createTypingCallbacks({ start, stop, onStartError, onStopError = onStartError, keepaliveIntervalMs, maxConsecutiveFailures, maxDurationMs }) {
  const intervalMs = resolveTimerTimeoutMs(keepaliveIntervalMs, 3000, 0);
  const limitMs = resolveTimerTimeoutMs(maxDurationMs, 60_000, 0);
  const allowed = Number.isFinite(maxConsecutiveFailures) && maxConsecutiveFailures > 0 ? Math.max(1, Math.floor(maxConsecutiveFailures)) : 2;
  let [closed, stopped, tripped, busy] = [false, false, false, false];
  let failures = 0;
  let ticker;
  let limiter;
  const halt = () => {
    clearInterval(ticker);
    clearTimeout(limiter);
    busy = false;
  };
  const show = async () => {
    if (closed || tripped || busy) return;
    busy = true;
    try {
      await start();
      failures = 0;
    } catch (error) {
      onStartError?.(error);
      tripped = ++failures >= allowed;
      if (tripped) clearInterval(ticker);
    } finally {
      busy = false;
    }
  };
  const finish = () => {
    closed = true;
    halt();
    if (!stop || stopped) return;
    stopped = true;
    Promise.resolve().then(stop).catch((error) => onStopError?.(error));
  };
  return {
    async onReplyStart() {
      if (closed) return;
      halt();
      [stopped, tripped, failures] = [false, false, 0];
      void show().then(() => {
        if (closed || tripped) return;
        if (intervalMs > 0) ticker = setInterval(show, intervalMs).unref();
        if (limitMs > 0) limiter = setTimeout(finish, limitMs).unref();
      });
    },
    onIdle: finish,
    onCleanup: finish,
  };
}

/** The text before replies, and what its placeholders stand for once the model is known. */
export function createReplyPrefixContext({ cfg, agentId, channel, accountId }) {
  const agent = (cfg?.agents?.list ?? []).find((entry) => entry.id === agentId);
  const prefixContext = { identityName: normalizeOptionalString(agent?.identity?.name) };
  return {
    prefixContext,
    responsePrefix: responsePrefixOf(cfg, agent, channel, accountId),
    responsePrefixContextProvider: () => prefixContext,
    onModelSelected({ provider, model, thinkLevel }) {
      const short = (model.includes('/') ? model.slice(model.lastIndexOf('/') + 1) : model).replace(/-\d{8}$/, '').replace(/-latest$/, '');
      Object.assign(prefixContext, { provider, model: short, modelFull: `${provider}/${model}`, thinkingLevel: thinkLevel ?? 'off' });
    },
  };
}

function responsePrefixOf(cfg, agent, channel, accountId) {
  const section = channel ? cfg?.channels?.[channel] : undefined;
  const account = accountId ? resolveAccountEntry(section?.accounts, normalizeAccountId(accountId)) : undefined;
  const prefix = account?.responsePrefix ?? section?.responsePrefix ?? cfg?.messages?.responsePrefix;
  if (prefix !== 'auto') return prefix;
  const name = normalizeOptionalString(agent?.identity?.name);
  return name ? `[${name}]` : undefined;
}

export function createReplyPrefixOptions(params) {
  const { prefixContext: _context, ...options } = createReplyPrefixContext(params);
  return options;
}

/** Prefix, payload transformation and typing of one reply. */
export function createChannelReplyPipeline(params) {
  const typingCallbacks = params.typingCallbacks ?? (params.typing ? createTypingCallbacks(params.typing) : undefined);
  const transformReplyPayload = params.transformReplyPayload ?? (params.channel ? (payload) => payload : undefined);
  return {
    ...createReplyPrefixOptions(params),
    ...(transformReplyPayload ? { transformReplyPayload } : {}),
    ...(typingCallbacks ? { typingCallbacks } : {}),
  };
}
export const createChannelMessageReplyPipeline = createChannelReplyPipeline;

/** Whether replies are sent block by block. */
export function resolveChannelStreamingBlockEnabled(entry) {
  const nested = entry?.streaming && typeof entry.streaming === 'object' ? entry.streaming.block?.enabled : undefined;
  return [nested, entry?.blockStreaming].find((value) => typeof value === 'boolean');
}
