// The connection to the gateway: handshake, requests, events, reconnecting.

import { identity } from './identity.js';
import { uuid } from './ui.js';

const PROTOCOL = 4;
const CLIENT = { id: 'openclaw-control-ui', displayName: 'Chela page', version: '1', platform: 'web', mode: 'webchat' };
const SCOPES = ['operator.admin', 'operator.read', 'operator.write'];
const BACKOFF_FIRST = 1000;
const BACKOFF_MAX = 30_000;
const REQUEST_TIMEOUT = 30_000;
const CONNECT_TIMEOUT = 15_000;

/** An error that the gateway answered, or `UNAVAILABLE` when it could not be asked. */
export class GatewayError extends Error {
  constructor(shape) {
    super(shape?.message ?? 'the gateway gave no reason');
    this.code = shape?.code ?? 'UNAVAILABLE';
    this.details = shape?.details ?? {};
    this.retryable = Boolean(shape?.retryable);
    this.retryAfterMs = shape?.retryAfterMs;
  }
}

const offline = (message) => new GatewayError({ code: 'UNAVAILABLE', message, retryable: true });

function stored(storage, name) {
  try { return storage.getItem(name) ?? ''; } catch { return ''; }
}

function store(storage, name, value) {
  try {
    if (value) storage.setItem(name, value);
    else storage.removeItem(name);
  } catch { /* without storage the secret lives as long as the page */ }
}

/**
 * Callbacks: `onhello(hello)`, `onevent(event, payload)`, `ongap()`, `onstate({state, text, retryAt?})` with the states
 * `connecting`, `connected`, `reconnecting`, `signin`, and `onsignin({message, hint, kind})`.
 */
export class Gateway {
  constructor(callbacks) {
    this.callbacks = callbacks;
    this.secret = stored(sessionStorage, 'chela.secret');
    this.kind = stored(sessionStorage, 'chela.kind') || 'token';
    this.deviceToken = stored(localStorage, 'chela.deviceToken');
    this.waiting = new Map();
    this.failures = 0;
    this.number = 0;
    this.instance = uuid();
    addEventListener('online', () => this.hurry());
    document.addEventListener('visibilitychange', () => { if (!document.hidden) this.hurry(); });
  }

  get connected() { return Boolean(this.hello); }

  /** Remembers a secret for this tab. */
  setSecret(secret, kind = 'token') {
    this.secret = secret;
    this.kind = kind;
    store(sessionStorage, 'chela.secret', secret);
    store(sessionStorage, 'chela.kind', kind);
  }

  setDeviceToken(token) {
    this.deviceToken = token;
    store(localStorage, 'chela.deviceToken', token);
  }

  /** Connects now, dropping what was under way. */
  start() {
    this.stopped = false;
    this.hello = null;
    clearInterval(this.watch);
    this.useDeviceToken = !this.secret && Boolean(this.deviceToken);
    this.open();
  }

  hurry() {
    if (this.retryTimer) this.open();
  }

  open() {
    clearTimeout(this.retryTimer);
    this.retryTimer = null;
    this.socket?.close();
    this.callbacks.onstate({ state: this.failures ? 'reconnecting' : 'connecting', text: this.failures ? 'Reconnecting' : 'Connecting' });
    const url = new URL('.', location.href);
    url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
    url.hash = '';
    url.search = '';
    const socket = new WebSocket(url);
    this.socket = socket;
    this.lastSeq = 0;
    const guard = setTimeout(() => socket.close(4000, 'handshake timeout'), CONNECT_TIMEOUT);
    socket.onmessage = (message) => {
      if (socket !== this.socket) return;
      this.lastFrame = Date.now();
      let frame;
      try { frame = JSON.parse(message.data); } catch { return; }
      this.take(frame, socket, guard);
    };
    socket.onclose = (close) => {
      clearTimeout(guard);
      if (socket === this.socket) this.closed(close);
    };
  }

  take(frame, socket, guard) {
    if (frame.type === 'event' && frame.event === 'connect.challenge') {
      this.sign(frame.payload).then((params) => this.greet(params, socket, guard)).catch((error) => this.refuse(new GatewayError({ message: String(error) })));
    } else if (frame.type === 'event') {
      if (Number.isInteger(frame.seq)) {
        if (this.lastSeq && frame.seq > this.lastSeq + 1) this.callbacks.ongap();
        this.lastSeq = frame.seq;
      }
      this.callbacks.onevent(frame.event, frame.payload ?? {});
    } else if (frame.type === 'res') {
      const call = this.waiting.get(frame.id);
      if (!call) return;
      this.waiting.delete(frame.id);
      clearTimeout(call.timer);
      if (frame.ok) call.resolve(frame.payload);
      else call.reject(new GatewayError(frame.error));
    }
  }

  async sign(challenge) {
    const auth = {};
    if (this.useDeviceToken && this.deviceToken) auth.deviceToken = this.deviceToken;
    else if (this.secret) auth[this.kind] = this.secret;
    const params = {
      minProtocol: PROTOCOL, maxProtocol: PROTOCOL, client: { ...CLIENT, instanceId: this.instance },
      role: 'operator', scopes: SCOPES, caps: ['tool-events'], auth, locale: navigator.language, userAgent: navigator.userAgent,
    };
    const device = await identity();
    this.noIdentity = device.missing;
    if (device.missing) return params;
    const signedAt = Date.now();
    const fields = ['v3', device.id, CLIENT.id, CLIENT.mode, 'operator', SCOPES.join(','), signedAt,
      auth.token ?? auth.deviceToken ?? '', challenge.nonce, CLIENT.platform, ''];
    params.device = { id: device.id, publicKey: device.publicKey, signature: await device.sign(fields.join('|')), signedAt, nonce: challenge.nonce };
    return params;
  }

  async greet(params, socket, guard) {
    let hello;
    try {
      hello = await this.send('connect', params, socket);
    } catch (error) {
      clearTimeout(guard);
      if (socket === this.socket) this.refuse(error);
      return;
    }
    clearTimeout(guard);
    this.hello = hello;
    this.helloAt = Date.now();
    this.failures = 0;
    this.triedDeviceToken = false;
    if (hello.auth?.deviceToken) this.setDeviceToken(hello.auth.deviceToken);
    const silence = 2 * (hello.policy?.tickIntervalMs ?? 30_000);
    this.watch = setInterval(() => {
      if (Date.now() - this.lastFrame > silence) socket.close(4000, 'tick timeout');
    }, 5000);
    this.callbacks.onstate({ state: 'connected', text: 'Connected' });
    this.callbacks.onhello(hello);
  }

  // A refused connect: some refusals need a person, the others are tried again.
  refuse(error) {
    const code = error.details.code ?? '';
    if (error.retryable || error.code === 'UNAVAILABLE') return;
    if (error.details.canRetryWithDeviceToken && this.deviceToken && !this.useDeviceToken && !this.triedDeviceToken && nearby()) {
      this.triedDeviceToken = true;
      this.useDeviceToken = true;
      this.quietRetry = true;
      return;
    }
    if (code === 'AUTH_DEVICE_TOKEN_MISMATCH' || this.useDeviceToken) this.setDeviceToken('');
    this.useDeviceToken = false;
    this.stopped = true;
    this.callbacks.onstate({ state: 'signin', text: 'Not signed in' });
    this.callbacks.onsignin(explain(error, code, this));
  }

  closed(close) {
    clearInterval(this.watch);
    this.hello = null;
    this.socket = null;
    for (const call of this.waiting.values()) {
      clearTimeout(call.timer);
      call.reject(offline('the connection was lost'));
    }
    this.waiting.clear();
    // The refusal of a connect is handled in a microtask after this event's rejection.
    setTimeout(() => this.plan(close), 0);
  }

  plan(close) {
    if (this.socket || this.retryTimer) return;
    if (this.stopped) {
      this.stopped = false;
      return;
    }
    if (this.quietRetry) {
      this.quietRetry = false;
      this.open();
      return;
    }
    const wait = Math.min(BACKOFF_MAX, BACKOFF_FIRST * 2 ** Math.min(this.failures, 6));
    this.failures += 1;
    const why = close.code === 1012 ? 'The gateway restarts' : 'Reconnecting';
    this.callbacks.onstate({ state: 'reconnecting', text: why, retryAt: Date.now() + wait });
    this.retryTimer = setTimeout(() => this.open(), wait);
  }

  /** Calls a method; rejects with a `GatewayError`. */
  call(method, params = {}) {
    if (!this.hello) return Promise.reject(offline('not connected'));
    return this.send(method, params, this.socket);
  }

  send(method, params, socket) {
    const id = `${++this.number}`;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.waiting.delete(id);
        reject(offline(`\`${method}\` got no answer in ${REQUEST_TIMEOUT / 1000} s`));
      }, REQUEST_TIMEOUT);
      this.waiting.set(id, { resolve, reject, timer });
      try {
        socket.send(JSON.stringify({ type: 'req', id, method, params }));
      } catch {
        this.waiting.delete(id);
        clearTimeout(timer);
        reject(offline('the connection was lost'));
      }
    });
  }
}

function nearby() {
  return location.protocol === 'https:' || ['localhost', '127.0.0.1', '[::1]'].includes(location.hostname);
}

// What a person should know and do about a refused connect.
function explain(error, code, gateway) {
  const kind = code.startsWith('AUTH_PASSWORD') ? 'password' : 'token';
  if (code === 'PAIRING_REQUIRED') {
    const hint = error.details.requestId ? `chela devices approve ${error.details.requestId}` : error.details.remediationHint ?? '';
    return { message: 'This browser is new to the gateway. Approve it on the gateway host, then connect again.', hint, kind: 'none' };
  }
  if (gateway.noIdentity && (code.includes('DEVICE_IDENTITY') || error.code === 'NOT_PAIRED')) {
    return { message: gateway.noIdentity, hint: '', kind: 'none' };
  }
  if (code === 'CONTROL_UI_ORIGIN_NOT_ALLOWED') {
    return { message: `The gateway does not accept this page's address. Add it to \`gateway.controlUi.allowedOrigins\`:`, hint: location.origin, kind: 'none' };
  }
  if (code.endsWith('_MISSING') || code === 'AUTH_REQUIRED') {
    const message = kind === 'password' ? 'Enter the password of this gateway.'
      : 'Enter the token of this gateway. It is part of the address that the gateway prints when it starts.';
    return { message, hint: '', kind };
  }
  if (code.endsWith('_MISMATCH') && code.startsWith('AUTH_')) {
    return { message: `The gateway did not accept this ${kind}.`, hint: '', kind };
  }
  return { message: `The gateway refused the connection: ${error.message}`, hint: '', kind };
}
