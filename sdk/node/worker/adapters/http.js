// What the adapters of HTTP routes share: Node's request object, and bytes that wait for the host to take them.
import http from 'node:http';

/** Members of a `net.Socket` that handlers use and that mean nothing here. */
export function dressSocket(socket, { remoteAddress }) {
  return Object.assign(socket, {
    remoteAddress: remoteAddress ?? '127.0.0.1',
    remotePort: 0,
    remoteFamily: remoteAddress?.includes(':') ? 'IPv6' : 'IPv4',
    encrypted: false,
    setTimeout: () => socket,
    setNoDelay: () => socket,
    setKeepAlive: () => socket,
    ref: () => socket,
    unref: () => socket,
  });
}

/** The request a handler sees; its body is complete. */
export function makeRequest(socket, { method, url, headers = [], body, scopes }) {
  const req = new http.IncomingMessage(socket);
  req.method = method;
  req.url = url;
  req.httpVersion = '1.1';
  req.httpVersionMajor = 1;
  req.httpVersionMinor = 1;
  req.rawHeaders = headers.flat();
  for (const [name, value] of headers) req._addHeaderLine(name, value, req.headers);
  if (scopes) req.gatewayScopes = scopes;
  if (body?.length) req.push(body);
  req.complete = true;
  req.push(null);
  return req;
}

/** Bytes handed out as they are written; a write is done when its bytes have been taken. An async iterable for one reader. */
export class ByteQueue {
  #rows;
  #ended = false;
  #error = null;
  #waiting = null;
  /** Called when the reader leaves before the end. */
  onLeave = () => {};

  constructor(chunks = []) {
    this.#rows = chunks.map((chunk) => ({ chunk, done: null }));
  }

  /** Whether nothing more can be written. */
  get ended() {
    return this.#ended;
  }

  /** How many pieces wait. */
  get length() {
    return this.#rows.length;
  }

  push(chunk, done) {
    if (chunk.length === 0 || this.#ended) {
      if (done) process.nextTick(done);
      return true;
    }
    this.#rows.push({ chunk, done });
    this.#step();
    return this.#rows.length < 16;
  }

  end(error = null) {
    if (this.#ended) return;
    this.#ended = true;
    this.#error = error;
    this.#step();
  }

  [Symbol.asyncIterator]() {
    return this;
  }

  next() {
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
      this.#step();
    });
  }

  return() {
    const early = !this.#ended || this.#rows.length > 0;
    this.#ended = true;
    for (const row of this.#rows.splice(0)) row.done?.();
    this.#step();
    if (early) this.onLeave();
    return Promise.resolve({ done: true, value: undefined });
  }

  #step() {
    const waiting = this.#waiting;
    const row = waiting && this.#rows.shift();
    if (!waiting || (!row && !this.#ended)) return;
    this.#waiting = null;
    if (row) {
      row.done?.();
      waiting.resolve({ done: false, value: row.chunk });
    } else if (this.#error) waiting.reject(this.#error);
    else waiting.resolve({ done: true, value: undefined });
  }
}
