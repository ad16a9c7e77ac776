// Streams in both directions. A sender sends only what the receiver has asked for with `pull`.
import { encode, decode } from './codec.js';
import { errorFromWire, errorToWire } from './errors.js';

/** How many items the worker asks for ahead of its reader. */
const WINDOW = 16;

/** Both halves of the streams of one peer. `send` puts a frame on the main lane. */
export class Streams {
  #send;
  #port;
  #out = new Map();
  #in = new Map();
  #next = 1;

  constructor(send, port) {
    this.#send = send;
    this.#port = port;
  }

  /** Takes an async iterable and returns its number. */
  offer(iterable) {
    const id = this.#next++;
    this.#out.set(id, { iterable, iterator: null, credit: 0, running: false });
    return id;
  }

  /** The host is ready for `count` more items of one of our streams. */
  pull(id, count) {
    const source = this.#out.get(id);
    if (!source) return;
    source.credit += count;
    if (!source.running) this.#pump(id, source);
  }

  /** The host no longer wants one of our streams. */
  close(id) {
    const source = this.#out.get(id);
    this.#out.delete(id);
    // Asked for even when nothing was read yet: a source may hold a connection.
    const iterator = source?.iterator ?? source?.iterable[Symbol.asyncIterator]();
    if (iterator?.return) Promise.resolve(iterator.return()).catch(() => {});
  }

  async #pump(id, source) {
    source.running = true;
    try {
      source.iterator ??= source.iterable[Symbol.asyncIterator]();
      while (source.credit > 0 && this.#out.has(id)) {
        const step = await source.iterator.next();
        if (!this.#out.has(id)) return;
        if (step.done) {
          this.#out.delete(id);
          this.#send({ t: 'end', s: id });
          return;
        }
        source.credit--;
        const item = encode(step.value, this.#port);
        this.#send({ t: 'chunk', s: id, v: item === undefined ? null : item });
      }
    } catch (error) {
      this.#out.delete(id);
      this.#send({ t: 'end', s: id, err: errorToWire(error) });
    } finally {
      source.running = false;
    }
  }

  /** Gives the async iterator for a stream that the host owns. */
  accept(id) {
    const sink = { queue: [], waiting: null, ended: false, error: null, asked: 0 };
    this.#in.set(id, sink);
    const ask = () => {
      if (sink.ended || sink.asked > 0) return;
      sink.asked = WINDOW;
      this.#send({ t: 'pull', s: id, n: WINDOW });
    };
    const finish = () => {
      if (!sink.ended) {
        sink.ended = true;
        this.#send({ t: 'close', s: id });
      }
      this.#in.delete(id);
      sink.queue.length = 0;
      sink.waiting?.resolve({ done: true, value: undefined });
      sink.waiting = null;
      return Promise.resolve({ done: true, value: undefined });
    };
    return {
      [Symbol.asyncIterator]() {
        return this;
      },
      next() {
        if (sink.queue.length > 0) return Promise.resolve({ done: false, value: sink.queue.shift() });
        if (sink.error) return Promise.reject(sink.error);
        if (sink.ended) return Promise.resolve({ done: true, value: undefined });
        ask();
        return new Promise((resolve, reject) => {
          sink.waiting = { resolve, reject };
        });
      },
      return: finish,
      cancel: finish,
    };
  }

  /** An item of a stream that the host owns. */
  chunk(id, value) {
    const sink = this.#in.get(id);
    if (!sink) return;
    if (sink.asked > 0) sink.asked--;
    const item = decode(value, this.#port);
    if (sink.waiting) {
      const { resolve } = sink.waiting;
      sink.waiting = null;
      resolve({ done: false, value: item });
    } else sink.queue.push(item);
  }

  /** A stream that the host owns has ended. */
  end(id, wire) {
    const sink = this.#in.get(id);
    if (!sink) return;
    this.#in.delete(id);
    sink.ended = true;
    sink.error = wire ? errorFromWire(wire) : null;
    if (!sink.waiting) return;
    if (sink.error) sink.waiting.reject(sink.error);
    else sink.waiting.resolve({ done: true, value: undefined });
    sink.waiting = null;
  }
}
