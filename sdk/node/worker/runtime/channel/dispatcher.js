// Reply dispatchers: payloads of one turn go out one after another, and everybody can wait for the last one.

const KINDS = ['tool', 'block', 'final'];
const SILENT = /^\s*no_reply\s*$/i;
/** Pause between blocks in the `natural` mode, in ms (CH-193). */
const NATURAL_DELAY = { minMs: 800, maxMs: 2500 };

const zero = () => ({ tool: 0, block: 0, final: 0 });
const mediaOf = (payload) => [...(payload?.mediaUrls ?? []), payload?.mediaUrl].filter((url) => typeof url === 'string' && url.trim());
const isRich = (payload) => Boolean(payload?.presentation || payload?.interactive || payload?.channelData);

/** The payload as it may be sent, or why it is skipped: `{payload}` or `{reason}`. */
export function normalizePayload(given, { responsePrefix, transformReplyPayload, prefixContext } = {}) {
  let payload = typeof given === 'string' ? { text: given } : { ...given };
  if (transformReplyPayload) {
    payload = transformReplyPayload(payload);
    if (!payload) return { reason: 'empty' };
  }
  const text = typeof payload.text === 'string' ? payload.text : '';
  const others = mediaOf(payload).length > 0 || isRich(payload);
  if (SILENT.test(text)) {
    if (!others) return { reason: 'silent' };
    return { payload: { ...payload, text: '' } };
  }
  if (!text.trim() && !others) return { reason: 'empty' };
  const prefix = fillPrefix(responsePrefix, prefixContext);
  if (prefix && text.trim() && !text.startsWith(prefix)) payload.text = `${prefix} ${text}`;
  return { payload };
}

/** The prefix with `{model}` and its like filled in (MSG-109). */
function fillPrefix(prefix, context = {}) {
  if (!prefix) return '';
  const values = { ...context, think: context.thinkingLevel, 'identity.name': context.identityName };
  return prefix.replace(/\{([A-Za-z.]+)\}/g, (whole, name) => (values[name] === undefined ? whole : String(values[name])));
}

/** How long to wait before a block, by `humanDelay`. */
export function blockDelay(humanDelay) {
  const mode = humanDelay?.mode ?? 'off';
  if (mode === 'off') return 0;
  const { minMs, maxMs } = mode === 'custom' ? { ...NATURAL_DELAY, ...humanDelay } : NATURAL_DELAY;
  return maxMs <= minMs ? minMs : Math.floor(minMs + Math.random() * (maxMs - minMs + 1));
}

/** A dispatcher over `options.deliver(payload, {kind})`. A failing delivery is told to `onError` and does not stop the next one. */
export function createReplyDispatcher(options) {
  const [queued, failed, cancelled] = [zero(), zero(), zero()];
  let chain = Promise.resolve();
  // The run itself holds one place: nobody is idle between two payloads of a run that goes on.
  let pending = 1;
  let complete = false;
  let sentBlock = false;

  const settle = () => {
    pending -= 1;
    if (pending === 0) options.onIdle?.();
  };
  const deliver = async (kind, payload, wait) => {
    try {
      if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
      const ready = options.beforeDeliver ? await options.beforeDeliver(payload, { kind }) : payload;
      if (!ready) cancelled[kind] += 1;
      else await options.deliver(ready, { kind });
    } catch (error) {
      failed[kind] += 1;
      options.onError?.(error, { kind });
    } finally {
      settle();
    }
  };
  const send = (kind, given) => {
    const prefixContext = options.responsePrefixContextProvider?.() ?? options.responsePrefixContext;
    const { payload, reason } = normalizePayload(given, { ...options, prefixContext });
    if (!payload) {
      options.onSkip?.(given, { kind, reason });
      return false;
    }
    const wait = kind === 'block' && sentBlock ? blockDelay(options.humanDelay) : 0;
    if (kind === 'block') sentBlock = true;
    queued[kind] += 1;
    pending += 1;
    chain = chain.then(() => deliver(kind, payload, wait));
    return true;
  };
  return {
    sendToolResult: (payload) => send('tool', payload),
    sendBlockReply: (payload) => send('block', payload),
    sendFinalReply: (payload) => send('final', payload),
    waitForIdle: () => chain,
    getQueuedCounts: () => ({ ...queued }),
    getCancelledCounts: () => ({ ...cancelled }),
    getFailedCounts: () => ({ ...failed }),
    markComplete() {
      if (complete) return;
      complete = true;
      // What was queued just now goes first.
      void Promise.resolve().then(settle);
    },
  };
}

/** A dispatcher that also drives a typing indicator. */
export function createReplyDispatcherWithTyping(options) {
  const { typingCallbacks, onReplyStart, onIdle, onCleanup, ...rest } = options;
  const start = onReplyStart ?? typingCallbacks?.onReplyStart;
  const [idle, cleanup] = [onIdle ?? typingCallbacks?.onIdle, onCleanup ?? typingCallbacks?.onCleanup];
  let controller;
  const markIdle = () => {
    controller?.markDispatchIdle?.();
    idle?.();
  };
  const dispatcher = createReplyDispatcher({ ...rest, onIdle: markIdle });
  return {
    dispatcher,
    replyOptions: {
      onReplyStart: start,
      onTypingCleanup: cleanup,
      onTypingController: (typing) => {
        controller = typing;
      },
    },
    markDispatchIdle: markIdle,
    markRunComplete: () => controller?.markRunComplete?.(),
  };
}

/** Ends a dispatcher and waits for what it still sends. */
export async function settleReplyDispatcher({ dispatcher, onSettled }) {
  dispatcher.markComplete();
  try {
    await dispatcher.waitForIdle();
  } finally {
    await onSettled?.();
  }
}

/** Runs something with a dispatcher and settles it whatever happens. */
export async function withReplyDispatcher({ dispatcher, run, onSettled }) {
  try {
    return await run();
  } finally {
    await settleReplyDispatcher({ dispatcher, onSettled });
  }
}

/** All kinds of payloads. */
export const DISPATCH_KINDS = KINDS;
