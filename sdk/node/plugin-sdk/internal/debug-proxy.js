// The reference can record what a plugin sends through a debugging proxy. Chela records nothing: the settings are read, and recording does nothing.
import { randomUUID } from 'node:crypto';
import path from 'node:path';
import { resolveStateDir } from './paths.js';

const on = (value) => ['1', 'true', 'yes', 'on'].includes(value?.trim().toLowerCase() ?? '');
let session;

/** The debugging proxy that the environment names. @param {NodeJS.ProcessEnv} [env] */
export function resolveDebugProxySettings(env = process.env) {
  const read = (name) => env[`OPENCLAW_DEBUG_PROXY_${name}`]?.trim() || undefined;
  const within = (name) => path.join(resolveStateDir(env), 'debug-proxy', name);
  return {
    enabled: on(read('ENABLED')),
    required: on(read('REQUIRE')),
    proxyUrl: read('URL'),
    dbPath: read('DB_PATH') ?? within('capture.sqlite'),
    blobDir: read('BLOB_DIR') ?? within('blobs'),
    certDir: read('CERT_DIR') ?? within('certs'),
    sessionId: read('SESSION_ID') ?? (session ??= randomUUID()),
    sourceProcess: 'openclaw',
  };
}

/** The proxy to use: the configured one, else the environment's when it is switched on. @param {string} [configuredProxyUrl] @returns {string | undefined} */
export function resolveEffectiveDebugProxyUrl(configuredProxyUrl) {
  const { enabled, proxyUrl } = resolveDebugProxySettings();
  return configuredProxyUrl?.trim() || (enabled ? proxyUrl : undefined);
}

/** Records nothing. @param {any} _params */
export const captureHttpExchange = (_params) => {};
/** Records nothing. @param {any} _params */
export const captureWsEvent = (_params) => {};
/** Starts no recording. @param {any} [_mode] @param {any} [_settings] */
export const initializeDebugProxyCapture = (_mode, _settings) => {};
/** Ends no recording. @param {any} [_settings] */
export const finalizeDebugProxyCapture = (_settings) => {};
/** `fetch` is never replaced. @returns {boolean} */
export const isDebugProxyGlobalFetchPatchInstalled = () => false;

/** A store of recorded traffic. Nothing is recorded here, so it is always empty. */
export class DebugProxyCaptureStore {
  constructor(dbPath = '', blobDir = '') {
    Object.assign(this, { dbPath, blobDir });
  }
  close() {}
  upsertSession() {}
  endSession() {}
  recordEvent() {}
  listSessions() {
    return [];
  }
  getSessionEvents() {
    return [];
  }
  queryPreset() {
    return [];
  }
  deleteSessions() {
    return { sessions: 0, events: 0, blobs: 0 };
  }
}
let store;
/** @returns {DebugProxyCaptureStore} */
export const getDebugProxyCaptureStore = (dbPath, blobDir) => (store ??= new DebugProxyCaptureStore(dbPath, blobDir));
/** @returns {{store: DebugProxyCaptureStore, release: () => void}} */
export const acquireDebugProxyCaptureStore = (dbPath, blobDir) => ({ store: getDebugProxyCaptureStore(dbPath, blobDir), release: () => {} });
/** @returns {void} */
export const closeDebugProxyCaptureStore = () => void (store = undefined);
/** @returns {undefined} no agent: sockets connect directly */
export const createDebugProxyWebSocketAgent = (_settings) => undefined;
