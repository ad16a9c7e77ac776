// The device identity of this browser: an Ed25519 key that never leaves it.

function base64url(bytes) {
  const text = btoa(String.fromCharCode(...new Uint8Array(bytes)));
  return text.replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '');
}

const hex = (bytes) => Array.from(new Uint8Array(bytes), (b) => b.toString(16).padStart(2, '0')).join('');

const done = (request) => new Promise((resolve, reject) => {
  request.onsuccess = () => resolve(request.result);
  request.onerror = () => reject(request.error);
});

/** Runs `use(store)` on the browser's key store. */
async function stored(mode, use) {
  const open = indexedDB.open('chela', 1);
  open.onupgradeneeded = () => open.result.createObjectStore('identity');
  const db = await done(open);
  try {
    return await done(use(db.transaction('identity', mode).objectStore('identity')));
  } finally {
    db.close();
  }
}

async function keyPair() {
  const known = await stored('readonly', (store) => store.get('device')).catch(() => null);
  if (known) return known;
  const pair = await crypto.subtle.generateKey({ name: 'Ed25519' }, false, ['sign', 'verify']);
  // Without storage (private windows) the key lives as long as the page, and the gateway sees a new device next time.
  await stored('readwrite', (store) => store.put(pair, 'device')).catch(() => null);
  return pair;
}

async function load() {
  if (!globalThis.crypto?.subtle) {
    return { missing: 'Browsers allow keys on secure pages only. Open this page as http://localhost on the gateway host (an SSH tunnel works), or use HTTPS.' };
  }
  try {
    const { publicKey, privateKey } = await keyPair();
    const raw = await crypto.subtle.exportKey('raw', publicKey);
    const sign = async (text) => base64url(await crypto.subtle.sign('Ed25519', privateKey, new TextEncoder().encode(text)));
    return { id: hex(await crypto.subtle.digest('SHA-256', raw)), publicKey: base64url(raw), sign };
  } catch (error) {
    return { missing: `This browser has no Ed25519 keys (${error.name}). Use a current browser.` };
  }
}

let loaded;

/** `{id, publicKey, sign(text)}`, or `{missing: text}` when this browser cannot have an identity here. */
export const identity = () => { loaded ??= load(); return loaded; };
