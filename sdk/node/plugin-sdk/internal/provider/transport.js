// What a provider's own transport of model calls is made of.

/** @returns {{input: number, output: number, cacheRead: number, cacheWrite: number, totalTokens: number, cost: object}} */
export const createEmptyTransportUsage = () => ({ input: 0, output: 0, cacheRead: 0, cacheWrite: 0, totalTokens: 0, cost: { input: 0, output: 0, cacheRead: 0, cacheWrite: 0, total: 0 } });
/** Arguments of a call as an object; nothing for what is none. @param {unknown} value @returns {Record<string, any>} */
export function coerceTransportToolCallArguments(value) {
  try {
    const parsed = typeof value === 'string' ? JSON.parse(value) : value;
    return parsed && typeof parsed === 'object' && !Array.isArray(parsed) ? parsed : {};
  } catch {
    return {};
  }
}
/** The later ones win; `undefined` for none. @param {...(Record<string, string> | undefined)} sources @returns {Record<string, string> | undefined} */
export function mergeTransportHeaders(...sources) {
  const merged = Object.assign({}, ...sources);
  return Object.keys(merged).length > 0 ? merged : undefined;
}
/** A text without halves of characters. @param {string} text @returns {string} */
export const sanitizeTransportPayloadText = (text) => text.replace(/[\uD800-\uDBFF](?![\uDC00-\uDFFF])|(?<![\uD800-\uDBFF])[\uDC00-\uDFFF]/g, '');
/** A system prompt without the mark of its kept part. @param {string} text @returns {string} */
export const stripSystemPromptCacheBoundary = (text) => text.replaceAll('\n<!-- OPENCLAW_CACHE_BOUNDARY -->\n', '\n');

/** Events of an answer, for one reader; `result()` is the message at the end. */
class EventStream {
  #queue = [];
  #readers = [];
  #ended = false;
  #result = Promise.withResolvers();

  push(event) {
    if (this.#ended) return;
    if (event.type === 'done') this.#result.resolve(event.message);
    if (event.type === 'error') this.#result.resolve(event.error);
    const reader = this.#readers.shift();
    if (reader) reader({ value: event, done: false });
    else this.#queue.push(event);
  }
  end(result) {
    if (this.#ended) return;
    this.#ended = true;
    if (result !== undefined) this.#result.resolve(result);
    for (const reader of this.#readers.splice(0)) reader({ value: undefined, done: true });
  }
  result() {
    return this.#result.promise;
  }
  [Symbol.asyncIterator]() {
    return {
      next: async () => {
        if (this.#queue.length > 0) return { value: this.#queue.shift(), done: false };
        return this.#ended ? { value: undefined, done: true } : new Promise((resolve) => this.#readers.push(resolve));
      },
    };
  }
}
/** A stream to write and to give away. @returns {{eventStream: EventStream, stream: EventStream}} */
export function createWritableTransportEventStream() {
  const eventStream = new EventStream();
  return { eventStream, stream: eventStream };
}
/** Ends a stream with its message. @param {{stream: any, output: any, signal?: AbortSignal}} params @returns {void} */
export function finalizeTransportStream({ stream, output, signal }) {
  if (signal?.aborted) throw new Error('Request was aborted');
  if (output.stopReason === 'aborted' || output.stopReason === 'error') throw new Error('An unknown error occurred');
  stream.push({ type: 'done', reason: output.stopReason, message: output });
  stream.end();
}
/** Ends it with an error. @param {{stream: any, output: any, error: unknown, signal?: AbortSignal, cleanup?: () => void}} params @returns {void} */
export function failTransportStream({ stream, output, error, signal, cleanup }) {
  cleanup?.();
  output.stopReason = signal?.aborted ? 'aborted' : 'error';
  output.errorMessage = error instanceof Error ? error.message : JSON.stringify(error);
  stream.push({ type: 'error', reason: output.stopReason, error: output });
  stream.end();
}
