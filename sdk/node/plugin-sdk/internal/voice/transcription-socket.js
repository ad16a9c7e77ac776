// A live transcription over a WebSocket: connects, reconnects, keeps audio until the service is ready.

/** Times in ms, and the audio that is kept, in bytes. */
const DEFAULTS = { connectTimeoutMs: 10_000, closeTimeoutMs: 5000, reconnectDelayMs: 1000, maxReconnectAttempts: 5, maxQueuedBytes: 2 * 1024 * 1024 };

const asError = (error) => (error instanceof Error ? error : new Error(String(error)));
const valueOf = (given) => (typeof given === 'function' ? given() : given);
const bytesOf = (data) => (typeof data === 'string' ? Buffer.from(data) : Buffer.from(data));

class Session {
  #options;
  #socket;
  #queue = [];
  #queued = 0;
  #ready = false;
  #closed = false;
  #attempts = 0;
  #settle;
  #closing;
  #transport;

  constructor(options) {
    this.#options = { ...DEFAULTS, ...Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) };
    this.#transport = {
      callbacks: options.callbacks,
      closeNow: () => {
        this.#closed = true;
        this.#drop();
      },
      failConnect: (error) => this.#settle?.(asError(error)),
      isOpen: () => this.#socket?.readyState === WebSocket.OPEN,
      isReady: () => this.#ready,
      markReady: () => this.#settle?.(),
      sendBinary: (payload) => this.#send(payload),
      sendJson: (payload) => this.#send(JSON.stringify(payload)),
    };
  }

  async connect() {
    this.#closed = false;
    this.#attempts = 0;
    await this.#open();
  }

  sendAudio(audio) {
    if (this.#closed || audio.byteLength === 0) return;
    if (this.#ready && this.#transport.isOpen()) this.#options.sendAudio(audio, this.#transport);
    else this.#keep(audio);
  }

  close() {
    this.#closed = true;
    this.#ready = false;
    this.#queue = [];
    this.#queued = 0;
    if (!this.#transport.isOpen()) return this.#drop();
    this.#guard(() => this.#options.onClose?.(this.#transport));
    this.#closing = setTimeout(() => this.#drop(), this.#options.closeTimeoutMs).unref();
  }

  isConnected() {
    return this.#ready && this.#transport.isOpen();
  }

  async #open() {
    this.#ready = false;
    const { providerId, connectTimeoutMs } = this.#options;
    const opened = new Promise((resolve, reject) => {
      this.#settle = (error) => {
        this.#settle = undefined;
        if (!error) return resolve();
        this.#drop();
        reject(error);
      };
    });
    const timer = setTimeout(() => this.#settle?.(new Error(this.#options.connectTimeoutMessage ?? `${providerId} realtime transcription connection timeout`)), connectTimeoutMs);
    try {
      const [url, headers] = [await valueOf(this.#options.url), await valueOf(this.#options.headers)];
      if (this.#closed) return;
      this.#listen(new WebSocket(url, { headers: headers ?? {} }));
      await opened;
      if (this.#closed) return;
      this.#ready = true;
      for (const audio of this.#queue.splice(0)) this.#options.sendAudio(audio, this.#transport);
      this.#queued = 0;
    } catch (error) {
      this.#settle = undefined;
      this.#error(error);
      throw asError(error);
    } finally {
      clearTimeout(timer);
    }
  }

  #listen(socket) {
    const { providerId } = this.#options;
    this.#socket = socket;
    socket.binaryType = 'arraybuffer';
    socket.onopen = () => {
      this.#attempts = 0;
      this.#guard(() => this.#options.onOpen?.(this.#transport), (error) => this.#settle?.(error));
      if (this.#options.readyOnOpen) this.#settle?.();
    };
    socket.onmessage = ({ data }) => this.#guard(() => this.#options.onMessage?.((this.#options.parseMessage ?? ((payload) => JSON.parse(payload.toString())))(bytesOf(data)), this.#transport));
    socket.onerror = (event) => {
      const error = asError(event.error ?? event.message ?? 'connection failed');
      if (this.#settle) this.#settle(error);
      else this.#error(error);
    };
    socket.onclose = () => {
      clearTimeout(this.#closing);
      if (this.#socket !== socket) return;
      this.#ready = false;
      if (this.#closed) this.#settle?.();
      else if (this.#settle) this.#settle(new Error(this.#options.connectClosedBeforeReadyMessage ?? `${providerId} realtime transcription connection closed before ready`));
      else void this.#reconnect();
    };
  }

  async #reconnect() {
    const { providerId, maxReconnectAttempts, reconnectDelayMs, reconnectLimitMessage } = this.#options;
    while (!this.#closed) {
      if (this.#attempts >= maxReconnectAttempts) return this.#error(new Error(reconnectLimitMessage ?? `${providerId} realtime transcription reconnect limit reached`));
      const delay = reconnectDelayMs * 2 ** this.#attempts++;
      await new Promise((resolve) => setTimeout(resolve, delay).unref());
      const done = this.#closed || (await this.#open().then(() => true, () => false));
      if (done) return;
    }
  }

  /** The oldest audio goes when the service is not ready for long. */
  #keep(audio) {
    this.#queue.push(Buffer.from(audio));
    this.#queued += audio.byteLength;
    while (this.#queued > this.#options.maxQueuedBytes && this.#queue.length > 0) this.#queued -= this.#queue.shift().byteLength;
  }
  #send(payload) {
    if (!this.#transport.isOpen()) return false;
    this.#socket.send(payload);
    return true;
  }
  #drop() {
    const socket = this.#socket;
    this.#socket = undefined;
    this.#ready = false;
    clearTimeout(this.#closing);
    if (socket && socket.readyState !== WebSocket.CLOSED) socket.close();
  }
  #error(error) {
    this.#options.callbacks?.onError?.(asError(error));
  }
  #guard(run, failed = (error) => this.#error(error)) {
    try {
      run();
    } catch (error) {
      failed(asError(error));
    }
  }
}

/**
 * A session as a realtime transcription provider gives it.
 * @param {any} options `providerId`, `url`, `headers`, `callbacks`, `sendAudio`, `onMessage`, `onOpen`, `onClose`, `readyOnOpen` and limits
 * @returns {{connect: () => Promise<void>, sendAudio: (audio: Buffer) => void, close: () => void, isConnected: () => boolean}}
 */
export const createRealtimeTranscriptionWebSocketSession = (options) => new Session(options);
