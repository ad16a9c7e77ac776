// The connection to the gateway: handshake, requests, events, reconnecting.

import { identity } from './identity.js';
import { uuid } from './ui.js';

const CLIENT = { id: 'openclaw-control-ui', version: '1', platform: 'web', mode: 'webchat' };
const SCOPES = ['operator.admin', 'operator.read', 'operator.write'];
const BACKOFF_FIRST = 1000;
const BACKOFF_MAX = 30_000;
const REQUEST_TIMEOUT = 30_000;
const CONNECT_TIMEOUT = 15_000;

/** An error that the gateway answered, or `UNAVAILABLE` when it could not be asked. */
export class GatewayError extends Error {
  constructor({ code = 'UNAVAILABLE', message, details = {}, retryable = false }) {
    super(message);
    Object.assign(this, { code, details, retryable });
  }
}

const offline = (message) => new GatewayError({ message, retryable: true });

// Where storage is forbidden, secrets live as long as the page.
const read = (storage, name) => { try { return globalThis[storage].getItem(name) ?? ''; } catch { return ''; } };
const write = (storage, name, value) => { try { globalThis[storage].setItem(name, value); } catch { /* see above */ } };

/**
 * Callbacks: `onhello(hello)`, `onevent(event, payload)`, `ongap()`, `onsignin({message, hint, kind})` and
 * `onstate({state, text, retryAt?})` with the states `connecting`, `connected`, `reconnecting`, `signin`.
 */
export class Gateway {
  constructor(callbacks) {
    this.callbacks = callbacks;
    this.secret = read('sessionStorage', 'chela.secret');
    this.kind = read('sessionStorage', 'chela.kind') || 'token';
    this.deviceToken = read('localStorage', 'chela.deviceToken');
    this.waiting = new Map();
    this.failures = 0;
    this.number = 0;
    this.instance = uuid();
    const hurry = () => { if (this.retryTimer && !document.hidden) this.open(); };
    addEventListener('online', hurry);
    document.addEventListener('visibilitychange', hurry);
  }

  get connected() { return Boolean(this.hello); }

  /** Remembers a secret for this tab. */
  setSecret(secret, kind = 'token') {
    Object.assign(this, { secret, kind });
    write('sessionStorage', 'chela.secret', secret);
    write('sessionStorage', 'chela.kind', kind);
  }

  setDeviceToken(token) {
    this.deviceToken = token;
    write('localStorage', 'chela.deviceToken', token);
  }

  /** Connects now, dropping what was under way. */
  start() {
    this.stopped = false;
    this.hello = null;
    clearInterval(this.watch);
    this.useDeviceToken = !this.secret && Boolean(this.deviceToken);
    this.open();
  }

  open() {
    clearTimeout(this.retryTimer);
    this.retryTimer = null;
    this.socket?.close();
    this.callbacks.onstate(this.failures ? { state: 'reconnecting', text: 'Reconnecting' } : { state: 'connecting', text: 'Connecting' });
    const socket = new WebSocket(new URL('.', location.href.split(/[?#]/)[0]).href.replace(/^http/, 'ws'));
    this.socket = socket;
    this.lastSeq = 0;
    this.guard = setTimeout(() => socket.close(4000, 'handshake timeout'), CONNECT_TIMEOUT);
    socket.onmessage = ({ data }) => {
      if (socket !== this.socket) return;
      this.lastFrame = Date.now();
      this.take(JSON.parse(data), socket);
    };
    socket.onclose = (close) => { if (socket === this.socket) this.closed(close); };
  }

  take(frame, socket) {
    if (frame.event === 'connect.challenge') {
      this.greet(frame.payload.nonce, socket).catch((error) => { if (socket === this.socket) this.refuse(error); });
    } else if (frame.type === 'event') {
      if (frame.seq) {
        if (this.lastSeq && frame.seq > this.lastSeq + 1) this.callbacks.ongap();
        this.lastSeq = frame.seq;
      }
      this.callbacks.onevent(frame.event, frame.payload ?? {});
    } else if (this.waiting.has(frame.id)) {
      const { resolve, reject, timer } = this.waiting.get(frame.id);
      this.waiting.delete(frame.id);
      clearTimeout(timer);
      if (frame.ok) resolve(frame.payload ?? {});
      else reject(new GatewayError(frame.error ?? {}));
    }
  }

  async params(nonce) {
    const auth = {};
    if (this.useDeviceToken) auth.deviceToken = this.deviceToken;
    else if (this.secret) auth[this.kind] = this.secret;
    const params = {
      minProtocol: 4, maxProtocol: 4, client: { ...CLIENT, instanceId: this.instance },
      role: 'operator', scopes: SCOPES, caps: ['tool-events'], auth, locale: navigator.language,
    };
    const { id, publicKey, sign, missing } = await identity();
    this.noIdentity = missing;
    if (missing) return params;
    const signedAt = Date.now();
    const secret = auth.token ?? auth.deviceToken ?? '';
    const fields = ['v3', id, CLIENT.id, CLIENT.mode, 'operator', SCOPES, signedAt, secret, nonce, CLIENT.platform, ''];
    return { ...params, device: { id, publicKey, signature: await sign(fields.join('|')), signedAt, nonce } };
  }

  async greet(nonce, socket) {
    const hello = await this.send('connect', await this.params(nonce), socket);
    clearTimeout(this.guard);
    this.hello = hello;
    this.helloAt = Date.now();
    this.failures = 0;
    if (this.useDeviceToken) this.setSecret('');
    if (hello.auth?.deviceToken) this.setDeviceToken(hello.auth.deviceToken);
    const silence = 2 * (hello.policy?.tickIntervalMs ?? 30_000);
    this.watch = setInterval(() => { if (Date.now() - this.lastFrame > silence) socket.close(4000, 'tick timeout'); }, 5000);
    this.callbacks.onstate({ state: 'connected', text: 'Connected' });
    this.callbacks.onhello(hello);
  }

  // A refused connect: some refusals need a person, the others are tried again when the socket closes.
  refuse(error) {
    if (error.code === 'UNAVAILABLE') return;
    const known = this.deviceToken && !this.useDeviceToken;
    if (this.useDeviceToken) this.setDeviceToken('');
    this.useDeviceToken = Boolean(error.details?.canRetryWithDeviceToken && known && isSecureContext);
    this.quietRetry = this.useDeviceToken;
    if (this.quietRetry) return;
    this.stopped = true;
    this.callbacks.onstate({ state: 'signin', text: 'Not signed in' });
    this.callbacks.onsignin(explain(error, this.noIdentity));
  }

  closed(close) {
    clearTimeout(this.guard);
    clearInterval(this.watch);
    this.hello = null;
    this.socket = null;
    for (const { timer, reject } of this.waiting.values()) {
      clearTimeout(timer);
      reject(offline('the connection was lost'));
    }
    this.waiting.clear();
    if (this.stopped) return;
    const wait = this.quietRetry ? 0 : Math.min(BACKOFF_MAX, BACKOFF_FIRST * 2 ** this.failures);
    if (!this.quietRetry) this.failures += 1;
    this.quietRetry = false;
    const text = close.code === 1012 ? 'The gateway restarts' : 'Reconnecting';
    this.callbacks.onstate({ state: 'reconnecting', text, retryAt: Date.now() + wait });
    this.retryTimer = setTimeout(() => this.open(), wait);
  }

  /** Calls a method; rejects with a `GatewayError`. */
  async call(method, params = {}) {
    if (!this.hello) throw offline('not connected');
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
      socket.send(JSON.stringify({ type: 'req', id, method, params }));
    });
  }
}

// What a person should know and do about a refused connect. `kind`: the secret to ask for, or `none`.
function explain({ details = {}, message }, noIdentity) {
  const code = details.code ?? '';
  const kind = code.startsWith('AUTH_PASSWORD') ? 'password' : 'token';
  if (code === 'PAIRING_REQUIRED') {
    const hint = details.remediationHint;
    return { message: 'This browser is new to the gateway. Approve it on the gateway host, then try again.', hint, kind: 'none' };
  }
  if (noIdentity && code.includes('DEVICE_IDENTITY')) return { message: noIdentity, kind: 'none' };
  if (code === 'CONTROL_UI_ORIGIN_NOT_ALLOWED') {
    return { message: 'Add the address of this page to `gateway.controlUi.allowedOrigins`:', hint: location.origin, kind: 'none' };
  }
  if (/^AUTH_.*(MISSING|REQUIRED)$/.test(code)) {
    return { message: `Enter the ${kind} of this gateway.${kind === 'token' ? ' It is part of the address that the gateway prints when it starts.' : ''}`, kind };
  }
  if (/^AUTH_.*MISMATCH$/.test(code)) return { message: `The gateway did not accept this ${kind}.`, kind };
  return { message: `The gateway refused the connection: ${message}`, kind };
}
