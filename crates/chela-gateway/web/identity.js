// The device identity of this browser: an Ed25519 key that never leaves it (protocol: device id, signed connect).

const DB = 'chela';
const STORE = 'identity';

const encoder = new TextEncoder();

function base64url(bytes) {
  const text = btoa(String.fromCharCode(...new Uint8Array(bytes)));
  return text.replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '');
}

function hex(bytes) {
  return Array.from(new Uint8Array(bytes), (b) => b.toString(16).padStart(2, '0')).join('');
}

function request(make) {
  return new Promise((resolve, reject) => {
    const pending = make();
    pending.onsuccess = () => resolve(pending.result);
    pending.onerror = () => reject(pending.error);
  });
}

async function database() {
  const open = indexedDB.open(DB, 1);
  open.onupgradeneeded = () => open.result.createObjectStore(STORE);
  return request(() => open);
}

async function storedPair() {
  const db = await database();
  try {
    return await request(() => db.transaction(STORE).objectStore(STORE).get('device'));
  } finally {
    db.close();
  }
}

async function storePair(pair) {
  const db = await database();
  try {
    await request(() => db.transaction(STORE, 'readwrite').objectStore(STORE).put(pair, 'device'));
  } finally {
    db.close();
  }
}

async function keyPair() {
  let pair = await storedPair().catch(() => null);
  if (pair?.privateKey) return pair;
  pair = await crypto.subtle.generateKey({ name: 'Ed25519' }, false, ['sign', 'verify']);
  // Without storage (private windows) the key lives as long as the page; the gateway then sees a new device next time.
  await storePair(pair).catch(() => null);
  return pair;
}

let loaded;

/**
 * The identity: `{id, publicKey, sign(text)}`, or `{missing: text}` when this browser cannot have one here.
 */
export function identity() {
  loaded ??= load();
  return loaded;
}

async function load() {
  if (!globalThis.crypto?.subtle) {
    return {
      missing: 'This browser only allows keys on secure pages. Open the page as http://localhost or http://127.0.0.1 on the gateway host '
        + '(an SSH tunnel works), or put HTTPS in front of the gateway.',
    };
  }
  try {
    const pair = await keyPair();
    const raw = await crypto.subtle.exportKey('raw', pair.publicKey);
    const id = hex(await crypto.subtle.digest('SHA-256', raw));
    const sign = async (text) => base64url(await crypto.subtle.sign({ name: 'Ed25519' }, pair.privateKey, encoder.encode(text)));
    return { id, publicKey: base64url(raw), sign };
  } catch (error) {
    return { missing: `This browser has no Ed25519 keys (${error.name}). Use a current Chrome, Edge, Firefox or Safari.` };
  }
}
