// Adapter `httpRoute`: a handler written for Node's server gets a real request stream and a real response.
import http from 'node:http';
import { Duplex } from 'node:stream';
import { ByteQueue, dressSocket, makeRequest } from './http.js';

/** Bodies up to this many bytes are answered in one piece. */
const WHOLE_BYTES = 1024 * 1024;
/** A response that is begun but not ended within this time is streamed. */
const STREAM_AFTER_MS = 25;

/** Runs a route and returns `{handled, status, headers, body}`. */
export function run(row, [request], { signal }) {
  const socket = makeSocket(request);
  const req = makeRequest(socket, request);
  const res = new CapturedResponse(req);
  res.assignSocket(socket);
  signal.addEventListener('abort', () => {
    req.destroy();
    res.abandon();
  }, { once: true });
  return new Promise((resolve, reject) => {
    res.onReady = () => resolve({ handled: true, ...res.answer() });
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
    Promise.resolve()
      .then(() => row.fn.call(row.self, req, res))
      .then((value) => {
        if (value === false && !res.headersSent) resolve({ handled: false, status: 0, headers: [], body: Buffer.alloc(0) });
      })
      .catch((error) => (res.headersSent ? res.abandon() : reject(error)));
  });
}

function makeSocket(request) {
  return dressSocket(new Duplex({ read() {}, write: (_chunk, _encoding, done) => done() }), request);
}

/** Node's response, with the two steps replaced that would write to a connection. */
class CapturedResponse extends http.ServerResponse {
  #chunks = [];
  #bytes = 0;
  #headers = [];
  #queue = null;
  #timer = null;
  #answered = false;
  onReady = () => {};

  constructor(req) {
    super(req);
    this.useChunkedEncodingByDefault = false;
    this.sendDate = false;
    this.on('finish', () => this.#finish());
  }

  _storeHeader(_line, given) {
    const names = this.getRawHeaderNames();
    this.#headers = names.length > 0 ? names.flatMap((name) => pairs(name, this.getHeader(name))) : headerList(given);
    this._header = ' ';
    this._headerSent = true;
    this.chunkedEncoding = false;
    this.#timer ??= setTimeout(() => this.#stream(), STREAM_AFTER_MS);
  }

  _writeRaw(data, encoding, callback) {
    const done = typeof encoding === 'function' ? encoding : callback;
    const chunk = typeof data === 'string' ? Buffer.from(data, typeof encoding === 'string' ? encoding : 'utf8') : Buffer.from(data ?? '');
    if (this.#queue) return this.#queue.push(chunk, done);
    if (chunk.length > 0) {
      this.#chunks.push(chunk);
      this.#bytes += chunk.length;
    }
    if (done) process.nextTick(done);
    if (this.#bytes > WHOLE_BYTES) this.#stream();
    return true;
  }

  /** The answer as it stands; the body is bytes, or a stream when it is not complete. */
  answer() {
    const bodiless = this.req.method === 'HEAD' || this.statusCode === 204 || this.statusCode === 304;
    const body = this.#queue ?? (bodiless ? Buffer.alloc(0) : Buffer.concat(this.#chunks));
    return { status: this.statusCode, headers: this.#headers, body };
  }

  /** Ends an answer that will not be completed. */
  abandon() {
    this.#queue?.end(new Error('the response was not completed'));
    this.#finish();
  }

  #stream() {
    if (this.#answered) return;
    this.#queue = new ByteQueue(this.#chunks);
    this.#ready();
  }

  #finish() {
    if (this.#queue) this.#queue.end();
    this.#ready();
  }

  #ready() {
    clearTimeout(this.#timer);
    if (this.#answered) return;
    this.#answered = true;
    this.onReady();
  }
}

function pairs(name, value) {
  return Array.isArray(value) ? value.map((item) => [name, String(item)]) : [[name, String(value)]];
}

function headerList(given) {
  if (!given) return [];
  if (!Array.isArray(given)) return Object.entries(given).flatMap(([name, value]) => pairs(name, value));
  if (Array.isArray(given[0])) return given.flatMap(([name, value]) => pairs(name, value));
  const out = [];
  for (let i = 0; i + 1 < given.length; i += 2) out.push(...pairs(given[i], given[i + 1]));
  return out;
}
