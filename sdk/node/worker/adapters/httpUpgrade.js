// Adapter `httpUpgrade`: a handler written for Node's `upgrade` event gets a socket whose bytes travel through the host.
import { Duplex } from 'node:stream';
import { ByteQueue, dressSocket, makeRequest } from './http.js';

/** Largest piece sent at once; with the host's window it bounds what waits there for a slow client. */
const PIECE_BYTES = 16 * 1024;

/** Sockets that are open, with the plugin each belongs to. */
const open = new Map();

/** Runs an upgrade handler and returns `{handled, output}`: what it writes to the socket, from the first byte of its response on. */
export function run(row, [request], { signal }) {
  const socket = new UpgradedSocket(request);
  const req = makeRequest(socket, request);
  req.upgrade = true;
  open.set(socket, row.pluginId);
  socket.once('close', () => open.delete(socket));
  // An error of a socket whose plugin does not listen concerns that socket alone.
  socket.on('error', () => {});
  return new Promise((resolve, reject) => {
    const take = () => resolve({ handled: true, output: socket.output });
    socket.onUsed = take;
    signal.addEventListener('abort', () => {
      reject(signal.reason);
      socket.destroy();
    }, { once: true });
    Promise.resolve()
      .then(() => row.fn.call(row.self, req, socket, request.head ?? Buffer.alloc(0)))
      .then((value) => {
        if (value !== false || socket.used) return take();
        resolve({ handled: false });
        socket.destroy();
      })
      .catch((error) => {
        reject(error);
        socket.destroy();
      });
  });
}

/** Ends the sockets of a plugin that is unloaded. */
export function closeSockets(pluginId) {
  for (const [socket, owner] of open) if (owner === pluginId) socket.destroy();
}

/** The client's connection: reads what the host passes on, and queues what the handler writes until the host takes it. */
class UpgradedSocket extends Duplex {
  #input;
  #reading = false;
  output = new ByteQueue();
  bytesRead = 0;
  bytesWritten = 0;
  /** Whether the handler has written, ended or destroyed it. */
  used = false;
  onUsed = () => {};

  constructor(request) {
    super({ allowHalfOpen: true });
    this.#input = request.input;
    dressSocket(this, request);
    this.output.onLeave = () => this.destroy();
  }

  _read() {
    if (this.#reading) return;
    this.#reading = true;
    this.#input.next().then(
      ({ done, value }) => {
        this.#reading = false;
        if (!done) this.bytesRead += value.length;
        this.push(done ? null : value);
      },
      (error) => this.destroy(error),
    );
  }

  _write(chunk, _encoding, done) {
    this.#use();
    this.bytesWritten += chunk.length;
    for (let at = 0; at < chunk.length; at += PIECE_BYTES) {
      const last = at + PIECE_BYTES >= chunk.length;
      this.output.push(chunk.subarray(at, at + PIECE_BYTES), last ? done : null);
    }
    if (chunk.length === 0) done();
  }

  _final(done) {
    this.#use();
    this.output.end();
    done();
  }

  _destroy(error, done) {
    this.#use();
    this.output.end(error ?? new Error('the socket was destroyed'));
    void this.#input.return?.();
    done(error);
  }

  destroySoon() {
    if (this.writable) this.end();
    if (this.writableFinished) this.destroy();
    else this.once('finish', () => this.destroy());
  }

  #use() {
    if (this.used) return;
    this.used = true;
    this.onUsed();
  }
}
