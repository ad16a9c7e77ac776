// What `reply_dispatch` handlers get to answer with: a dispatcher, an abort signal, and two notes of the host's.

const KINDS = { sendToolResult: 'tool', sendBlockReply: 'block', sendFinalReply: 'final' };

/** Replies that handlers of one dispatch sent, in order. They travel back with the result of the handler that took the message. */
export class Replies {
  #sent = [];
  #complete = false;

  /** The dispatcher. A reply without text is not counted, and nothing can be sent once it is complete. */
  dispatcher() {
    const out = {};
    for (const [name, kind] of Object.entries(KINDS)) out[name] = (payload) => this.#send(kind, payload);
    return Object.assign(out, {
      waitForIdle: async () => {},
      getQueuedCounts: () => this.#counts(),
      getCancelledCounts: () => ({ tool: 0, block: 0, final: 0 }),
      getFailedCounts: () => ({ tool: 0, block: 0, final: 0 }),
      markComplete: () => {
        this.#complete = true;
      },
    });
  }

  #send(kind, payload) {
    const text = typeof payload === 'string' ? payload : payload?.text;
    if (this.#complete || typeof text !== 'string' || text.trim() === '') return false;
    this.#sent.push({ kind, text });
    return true;
  }

  #counts() {
    const counts = { tool: 0, block: 0, final: 0 };
    for (const { kind } of this.#sent) counts[kind] += 1;
    return counts;
  }

  /** The handler's result, with the replies when it took the message. */
  join(value) {
    return value && typeof value === 'object' && value.handled ? { ...value, replies: this.#sent } : value;
  }
}

/** Adds to the context of `reply_dispatch` what cannot be sent. */
export function withDispatcher(ctx, signal) {
  const replies = new Replies();
  ctx.dispatcher = replies.dispatcher();
  ctx.abortSignal = signal;
  ctx.recordProcessed = () => {};
  ctx.markIdle = () => {};
  return replies;
}
