// Handles: functions and abort signals that one side owns and the other side may use.

/** Functions of this worker that the host can call, by number. */
export class ExportTable {
  #rows = new Map();
  #next = 1;
  /** Plugin on whose behalf values are being encoded right now; kept with each handle. */
  pluginId = undefined;

  /** Gives a function a new number. `self` is the object it was found in, its `this` when called. */
  add(fn, self) {
    const id = this.#next++;
    this.#rows.set(id, { fn, self, pluginId: this.pluginId });
    return id;
  }

  /** The row `{fn, self, pluginId}` of a number, or `undefined`. */
  get(id) {
    return this.#rows.get(id);
  }

  /** Forgets numbers that the host dropped. */
  release(ids) {
    for (const id of ids) this.#rows.delete(id);
  }

  /** Forgets everything that belongs to a plugin. */
  dropPlugin(pluginId) {
    for (const [id, row] of this.#rows) if (row.pluginId === pluginId) this.#rows.delete(id);
  }

  /** How many handles are alive. */
  get size() {
    return this.#rows.size;
  }
}

/** Functions of the host that this worker can call. */
export class ImportTable {
  #numbers = new WeakMap();
  #dropped = [];
  #timer = null;
  #call;
  #callSync;
  #release;
  #registry = new FinalizationRegistry((id) => this.#drop(id));

  /** @param {{call: Function, callSync: Function, release: Function}} hooks */
  constructor({ call, callSync, release }) {
    this.#call = call;
    this.#callSync = callSync;
    this.#release = release;
  }

  /** Builds the function that stands for a host handle. `scope` collects the handles of one call. */
  make(row, scope) {
    const id = row.$fn;
    const call = row.sync ? this.#callSync : this.#call;
    const proxy = (...args) => call(id, args);
    if (row.name) Object.defineProperty(proxy, 'name', { value: row.name, configurable: true });
    this.#numbers.set(proxy, id);
    if (scope) scope.push(id);
    else this.#registry.register(proxy, id);
    return proxy;
  }

  /** The host's number of a function that came from the host. */
  numberOf(fn) {
    return this.#numbers.get(fn);
  }

  #drop(id) {
    this.#dropped.push(id);
    this.#timer ??= setTimeout(() => {
      this.#timer = null;
      this.#release(this.#dropped.splice(0));
    }, 50).unref();
  }
}

/** Abort signals in both directions. */
export class SignalTable {
  #next = 1;
  #send;
  #controllers = new Map();
  #holders = new WeakMap();

  constructor(send) {
    this.#send = send;
  }

  /** The wire form of a signal of this worker; its firing is sent to the host. */
  offer(signal) {
    const id = this.#next++;
    if (signal.aborted) return { $signal: id, aborted: true, reason: reasonText(signal.reason) };
    signal.addEventListener('abort', () => this.#send({ t: 'abort', sig: id, reason: reasonText(signal.reason) }), { once: true });
    return { $signal: id };
  }

  /** The signal that stands for one of the host's. It is held strongly until `settle` is called with `scope`. */
  accept(row, scope) {
    const controller = new AbortController();
    if (row.aborted) {
      controller.abort(abortReason(row.reason));
      return controller.signal;
    }
    this.#holders.set(controller.signal, controller);
    this.#controllers.set(row.$signal, { strong: controller.signal, weak: new WeakRef(controller.signal) });
    scope?.push(row.$signal);
    return controller.signal;
  }

  /** A signal of the host has fired. */
  fire(id, reason) {
    const row = this.#controllers.get(id);
    this.#controllers.delete(id);
    const signal = row?.strong ?? row?.weak.deref();
    if (signal) this.#holders.get(signal)?.abort(abortReason(reason));
  }

  /** The call that brought these signals is over: they may be collected from now on. */
  settle(ids) {
    for (const id of ids) {
      const row = this.#controllers.get(id);
      if (row) row.strong = null;
    }
    if (this.#controllers.size > 512) {
      for (const [id, row] of this.#controllers) if (!row.strong && !row.weak.deref()) this.#controllers.delete(id);
    }
  }
}

/** The reason of an aborted signal as text. */
export function reasonText(reason) {
  if (reason === undefined || reason === null) return undefined;
  return typeof reason === 'string' ? reason : String(reason.message ?? reason);
}

/** An `AbortError` that carries the host's reason. */
export function abortReason(reason) {
  return new DOMException(reason ?? 'This operation was aborted', 'AbortError');
}
