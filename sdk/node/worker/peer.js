// One conversation with the host: requests both ways, cancellation, notes, streams, liveness.
import { FrameLane, FrameTooLargeError } from './frames.js';
import { decode, encode } from './codec.js';
import { snapshot } from './state.js';
import { errorFromWire, errorToWire } from './errors.js';
import { ExportTable, ImportTable, SignalTable, abortReason, reasonText } from './handles.js';
import { Streams } from './streams.js';

/** Notes are dropped, and counted, when more bytes than this wait to be sent. */
const NOTE_BACKLOG = 8 * 1024 * 1024;
/** Id of a request that is not answered. */
const UNANSWERED = 0;

/** A request under way. Few look at its signal, so it is made for those only. */
class RunningCall {
  #controller;

  /** Fires when the host does not want the answer any more. */
  get signal() {
    this.#controller ??= new AbortController();
    return this.#controller.signal;
  }

  abort(reason) {
    this.#controller ??= new AbortController();
    this.#controller.abort(reason);
  }
}

/** The worker's end of the protocol. `methods` maps a method name to `(params, {signal})`, which returns a value or a promise. */
export class Peer {
  #lane;
  #pending = new Map();
  #serving = new Map();
  #nextId = 1;
  #lostNotes = 0;
  #streams;
  #signals;
  #imports;
  exports = new ExportTable();
  methods = new Map();
  notes = new Map();
  onHello = () => {};
  onBye = () => {};
  onClose = () => {};

  constructor(fd) {
    this.#lane = new FrameLane(fd);
    this.#signals = new SignalTable((frame) => this.#send(frame));
    this.#imports = new ImportTable({
      call: (fn, args) => this.request('call', { fn, args }),
      callSync: (fn, args) => this.requestSync('call', { fn, args }),
      release: (fns) => this.#send({ t: 'release', fns }),
    });
    this.#streams = new Streams((frame) => this.#send(frame), this.#port());
    this.#lane.onFrame = (frame, text) => this.#dispatch(frame, text);
    this.#lane.onClose = () => this.onClose();
    this.#lane.onOversize = (size) => this.fail(71, `frame of ${size} bytes from the host`);
  }

  /** How many requests of the host are being served. */
  get busy() {
    return this.#serving.size;
  }

  #port(scope) {
    const port = {
      exportFn: (fn, self) => this.exports.add(fn, self),
      exportSignal: (signal) => this.#signals.offer(signal),
      exportStream: (iterable) => this.#streams.offer(iterable),
      ownerOf: (fn) => this.#imports.numberOf(fn),
      importFn: (row) => this.#imports.make(row, scope?.fns),
      ownFn: (n) => this.exports.get(n)?.fn,
      importSignal: (row) => this.#signals.accept(row, scope?.signals),
      importStream: (n) => this.#streams.accept(n),
      configOf: (word) => (word !== undefined && word === snapshot.configMark ? snapshot.config : undefined),
    };
    return port;
  }

  /** Encodes a value for the host. */
  encode(value) {
    return value === undefined || value === null ? value : encode(value, this.#port());
  }

  /** Decodes a value of the host; `scope` collects handles that end with a call. */
  decode(value, scope) {
    return decode(value, this.#port(scope));
  }

  /** Sends a request on the main lane and resolves with the decoded answer. */
  request(method, params, options = {}) {
    return new Promise((resolve, reject) => {
      const { signal } = options;
      if (signal?.aborted) return reject(signal.reason ?? abortReason());
      const id = this.#nextId++;
      const onAbort = () => this.#send({ t: 'cancel', id, reason: reasonText(signal.reason) });
      this.#pending.set(id, { resolve, reject, done: () => signal?.removeEventListener('abort', onAbort) });
      try {
        this.#lane.send({ t: 'req', id, m: method, p: this.encode(params) ?? null });
      } catch (error) {
        this.#pending.delete(id);
        return reject(error);
      }
      signal?.addEventListener('abort', onAbort, { once: true });
    });
  }

  /** Sends a request on the blocking lane and returns the decoded answer. */
  requestSync(method, params) {
    const answer = blockingLane().exchange(method, this.encode(params) ?? null);
    if (answer.err) throw errorFromWire(answer.err);
    return this.decode(answer.ok);
  }

  /** Sends a note. When the host does not keep up, notes are dropped and the loss is told later. */
  note(method, params) {
    if (this.#lane.backlog > NOTE_BACKLOG) {
      this.#lostNotes++;
      return;
    }
    if (this.#lostNotes > 0) {
      const count = this.#lostNotes;
      this.#lostNotes = 0;
      this.#send({ t: 'note', m: 'log', p: { level: 'warn', message: `${count} log lines were dropped because the lane was full` } });
    }
    this.#send({ t: 'note', m: method, p: this.encode(params) ?? null });
  }

  /** Sends a last note, then ends the process with `code`. */
  noteAndExit(method, params, code) {
    this.#lane.sendLast({ t: 'note', m: method, p: params }, 1000, () => process.exit(code));
  }

  /** Tells the host why, then ends the process. */
  fail(code, reason) {
    this.#lane.sendLast({ t: 'bye', reason }, 500, () => process.exit(code));
  }

  #send(frame) {
    try {
      return this.#lane.send(frame);
    } catch (error) {
      if (!(error instanceof FrameTooLargeError)) throw error;
      return false;
    }
  }

  #dispatch(frame, text) {
    switch (frame.t) {
      case 'req':
        return void this.#serve(frame, text);
      case 'res':
        return this.#settle(frame);
      case 'ping':
        return void this.#send({ t: 'pong', n: frame.n });
      case 'cancel':
        return this.#serving.get(frame.id)?.abort(abortReason(frame.reason));
      case 'note':
        return this.notes.get(frame.m)?.(text.includes('"$') ? this.decode(frame.p) : frame.p);
      case 'abort':
        return this.#signals.fire(frame.sig, frame.reason);
      case 'chunk':
        return this.#streams.chunk(frame.s, frame.v);
      case 'end':
        return this.#streams.end(frame.s, frame.err);
      case 'pull':
        return this.#streams.pull(frame.s, frame.n);
      case 'close':
        return this.#streams.close(frame.s);
      case 'release':
        return this.exports.release(frame.fns ?? []);
      case 'hello':
        return this.onHello(frame);
      case 'bye':
        return this.onBye(frame);
      default:
    }
  }

  #settle(frame) {
    const waiting = this.#pending.get(frame.id);
    if (!waiting) return;
    this.#pending.delete(frame.id);
    waiting.done();
    if (frame.err) return waiting.reject(errorFromWire(frame.err));
    try {
      waiting.resolve(this.decode(frame.ok));
    } catch (error) {
      waiting.reject(error);
    }
  }

  /** Runs a request. What is there at once is answered at once: a promise would only delay it. */
  #serve(frame, text) {
    const call = new RunningCall();
    const scope = { fns: frame.p?.scoped ? [] : undefined, signals: [] };
    this.#serving.set(frame.id, call);
    const failed = (error) => this.#served(scope, { t: 'res', id: frame.id, err: errorToWire(error, error?.wireData) });
    const done = (value) => this.#served(scope, { t: 'res', id: frame.id, ok: value ?? null });
    let value;
    try {
      const method = this.methods.get(frame.m);
      if (!method) throw Object.assign(new Error(`unknown method \`${frame.m}\``), { code: 'NOT_FOUND' });
      const params = text.includes('"$') ? this.decode(frame.p, scope) : frame.p;
      value = method(params ?? {}, call);
    } catch (error) {
      return failed(error);
    }
    if (typeof value?.then === 'function') value.then(done, failed);
    else done(value);
  }

  #served(scope, answer) {
    this.#serving.delete(answer.id);
    this.#signals.settle(scope.signals);
    this.#answer(answer);
    if (scope.fns?.length) this.#send({ t: 'release', fns: scope.fns });
  }

  #answer(answer) {
    // The host does not wait for this one: it only wants the worker awake.
    if (answer.id === UNANSWERED) return this.#lane.rehearse(answer);
    try {
      this.#lane.send(answer);
    } catch (error) {
      this.#lane.send({ t: 'res', id: answer.id, err: errorToWire(error) });
    }
  }
}

let lane;
function blockingLane() {
  lane ??= process.getBuiltinModule('module').createRequire(import.meta.url)('./blocking.js');
  return lane;
}
