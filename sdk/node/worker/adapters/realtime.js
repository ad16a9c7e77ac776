// Adapter `realtime`: opens a session with callbacks. They outlive the call, so what they are called with travels as a stream of events.

/** Events that wait for the host; a session whose events nobody reads is closed. */
const MOST_WAITING = 8192;

class Events {
  #waiting = [];
  #reader = null;
  #ended = false;

  push(event) {
    if (this.#ended) return false;
    if (this.#reader) {
      const reader = this.#reader;
      this.#reader = null;
      reader({ done: false, value: event });
    } else this.#waiting.push(event);
    return this.#waiting.length <= MOST_WAITING;
  }

  end() {
    this.#ended = true;
    this.#reader?.({ done: true, value: undefined });
    this.#reader = null;
  }

  [Symbol.asyncIterator]() {
    return this;
  }

  next() {
    if (this.#waiting.length > 0) return Promise.resolve({ done: false, value: this.#waiting.shift() });
    if (this.#ended) return Promise.resolve({ done: true, value: undefined });
    return new Promise((resolve) => {
      this.#reader = resolve;
    });
  }

  return() {
    this.end();
    this.onReturn?.();
    return Promise.resolve({ done: true, value: undefined });
  }
}

/**
 * `[request, callbacks, methods, members]`: names of the callbacks that the request gets, of the session's methods that the host may
 * call, and of its members that travel as they are.
 */
export async function run(row, [request, callbacks, methods, members = []]) {
  const events = new Events();
  let session;
  const close = () => {
    try {
      session?.close?.();
    } catch {
      // It is being given up already.
    }
  };
  const listeners = {};
  for (const name of callbacks) {
    listeners[name] = (...args) => {
      if (!events.push({ name, args })) {
        events.end();
        close();
      }
    };
  }
  session = await row.fn.call(row.self, { ...request, ...listeners });
  events.onReturn = close;
  const out = { events, supportsToolResultContinuation: session?.supportsToolResultContinuation === true };
  for (const name of members) if (session?.[name] !== undefined) out[name] = session[name];
  for (const name of methods) if (typeof session?.[name] === 'function') out[name] = (...args) => session[name](...args);
  return out;
}
