// An agent's credentials: `auth-profiles.json`, and `auth-state.json` with their order and recent failures.
import { randomUUID } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { resolveDefaultAgentDir, resolveOpenClawAgentDir } from '../agents.js';
import { createSubsystemLogger } from '../host.js';
import { acquireFileLock } from '../file-lock.js';
import { KeyedAsyncQueue } from '../keyed-queue.js';
import { coerceSecretRef, normalizeSecretInput } from '../secrets.js';
import { isRecord } from '../strings.js';
import { normalizeProviderId } from '../provider/id.js';
import { resolveProviderIdForAuth } from './env-names.js';
import { buildApiKeyCredential, buildAuthProfileId } from './keys.js';

const TYPES = new Set(['api_key', 'oauth', 'token']);
const LOCK = { retries: { retries: 10, factor: 2, minTimeout: 100, maxTimeout: 10_000, randomize: true }, stale: 30_000 };

const storeFile = (agentDir) => path.join(agentDir ?? resolveOpenClawAgentDir(), 'auth-profiles.json');
const stateFile = (agentDir) => path.join(agentDir ?? resolveOpenClawAgentDir(), 'auth-state.json');
/** The file with an agent's credentials. @param {string} [agentDir] @returns {string} */
export const resolveAuthStorePathForDisplay = storeFile;

function readJson(file) {
  try {
    return JSON.parse(fs.readFileSync(file, 'utf8'));
  } catch (error) {
    if (error.code !== 'ENOENT') createSubsystemLogger('auth-profiles').warn(`\`${file}\` cannot be used: ${error.name}`);
    return undefined;
  }
}

function writeJson(file, value) {
  fs.mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 });
  const temporary = path.join(path.dirname(file), `.${path.basename(file)}.${randomUUID()}.tmp`);
  try {
    fs.writeFileSync(temporary, `${JSON.stringify(value, null, 2)}\n`, { mode: 0o600, flag: 'wx', flush: true });
    fs.renameSync(temporary, file);
  } catch (error) {
    fs.rmSync(temporary, { force: true });
    throw error;
  }
}

function credentialOf(raw) {
  if (!isRecord(raw)) return undefined;
  const entry = { ...raw, type: raw.type ?? raw.mode, key: raw.key ?? raw.apiKey };
  for (const [value, ref] of [['key', 'keyRef'], ['token', 'tokenRef']]) {
    const found = coerceSecretRef(entry[value]);
    if (found) entry[ref] ??= found;
    if (found || typeof entry[value] !== 'string') delete entry[value];
  }
  delete entry.mode;
  delete entry.apiKey;
  return TYPES.has(entry.type) && typeof entry.provider === 'string' && entry.provider.trim() ? entry : undefined;
}

/** What an agent's files say: its own profiles, and those of the main agent that it lacks. @param {string} [agentDir] */
export function loadAuthProfileStore(agentDir) {
  const own = readOwn(agentDir);
  const main = resolveDefaultAgentDir({});
  if (!agentDir || path.resolve(agentDir) === path.resolve(main)) return own;
  const shared = readOwn(main);
  return { ...own, profiles: { ...shared.profiles, ...own.profiles }, ...(own.usageStats || shared.usageStats ? { usageStats: { ...shared.usageStats, ...own.usageStats } } : {}) };
}

function readOwn(agentDir) {
  const saved = readJson(storeFile(agentDir));
  const rows = Object.entries(isRecord(saved?.profiles) ? saved.profiles : {}).map(([id, raw]) => [id, credentialOf(raw)]);
  const state = { ...saved, ...readJson(stateFile(agentDir)) };
  const kept = ['order', 'lastGood', 'usageStats'].filter((key) => isRecord(state[key])).map((key) => [key, state[key]]);
  return { version: Number(saved?.version ?? 1), profiles: Object.fromEntries(rows.filter(([, credential]) => credential)), ...Object.fromEntries(kept) };
}
export const ensureAuthProfileStore = loadAuthProfileStore;
export const ensureAuthProfileStoreWithoutExternalProfiles = loadAuthProfileStore;
export const loadAuthProfileStoreWithoutExternalProfiles = loadAuthProfileStore;
export const loadAuthProfileStoreForRuntime = loadAuthProfileStore;
export const loadAuthProfileStoreForSecretsRuntime = loadAuthProfileStore;
/** The profiles of this agent alone, to be changed and saved. @param {string} [agentDir] */
export const ensureAuthProfileStoreForLocalUpdate = readOwn;

/** Writes the files of an agent. Text beside a reference is dropped. @param {object} store @param {string} [agentDir] */
export function saveAuthProfileStore(store, agentDir) {
  const clean = ({ ...credential }) => {
    if (credential.keyRef) delete credential.key;
    if (credential.tokenRef) delete credential.token;
    return credential;
  };
  const profiles = Object.fromEntries(Object.entries(store.profiles).map(([id, credential]) => [id, clean(credential)]));
  writeJson(storeFile(agentDir), { version: 1, profiles });
  const state = ['order', 'lastGood', 'usageStats'].filter((key) => store[key] && Object.keys(store[key]).length > 0).map((key) => [key, store[key]]);
  if (state.length > 0) writeJson(stateFile(agentDir), { version: 1, ...Object.fromEntries(state) });
  else fs.rmSync(stateFile(agentDir), { force: true });
}

/** Writers of this process wait here; the lock is for other processes. */
const writers = new KeyedAsyncQueue();

/** Changes an agent's files under their lock; `null` when that failed. @param {{ agentDir?: string, updater: (store: object) => boolean }} params */
export const updateAuthProfileStoreWithLock = (params) => writers.enqueue(storeFile(params.agentDir), () => updateLocked(params));

async function updateLocked({ agentDir, updater }) {
  let lock;
  try {
    lock = await acquireFileLock(storeFile(agentDir), LOCK);
    const store = readOwn(agentDir);
    if (updater(store)) saveAuthProfileStore(store, agentDir);
    return store;
  } catch (error) {
    createSubsystemLogger('auth-profiles').warn(`\`${storeFile(agentDir)}\` was not changed: ${error.message}`);
    return null;
  } finally {
    await lock?.release();
  }
}

function normalized(credential) {
  const field = { api_key: 'key', token: 'token' }[credential.type];
  return field && typeof credential[field] === 'string' ? { ...credential, [field]: normalizeSecretInput(credential[field]) } : credential;
}
/** Stores a credential. @param {{ profileId: string, credential: object, agentDir?: string }} params */
export function upsertAuthProfile({ profileId, credential, agentDir }) {
  const store = readOwn(agentDir);
  store.profiles[profileId] = normalized(credential);
  saveAuthProfileStore(store, agentDir);
}
/** The same under the lock. @param {{ profileId: string, credential: object, agentDir?: string }} params */
export const upsertAuthProfileWithLock = ({ profileId, credential, agentDir }) =>
  updateAuthProfileStoreWithLock({ agentDir, updater: (store) => Boolean((store.profiles[profileId] = normalized(credential))) });

/** Stores an API key; its profile's id. @param {{ provider: string, input: unknown, agentDir?: string, options?: object, profileId?: string, metadata?: object }} params @returns {string} */
export function upsertApiKeyProfile({ provider, input, agentDir, options, profileId = buildAuthProfileId({ providerId: provider }), metadata }) {
  upsertAuthProfile({ profileId, credential: buildApiKeyCredential(provider, input, metadata, options), agentDir: agentDir ?? resolveDefaultAgentDir(options?.config ?? {}) });
  return profileId;
}

/** Stores what a sign-in gave; its profile's id. @param {string} provider @param {object} creds @param {string} [agentDir] @param {{ profileName?: string, displayName?: string, syncSiblingAgents?: boolean }} [options] @returns {Promise<string>} */
export async function writeOAuthCredentials(provider, creds, agentDir, options) {
  const email = typeof creds.email === 'string' ? creds.email.trim() : '';
  const profileId = buildAuthProfileId({ providerId: provider, profileName: options?.profileName ?? (email || 'default') });
  const own = path.resolve(agentDir ?? resolveDefaultAgentDir({}));
  const credential = { type: 'oauth', provider, ...creds, ...(options?.displayName ? { displayName: options.displayName } : {}) };
  const root = path.dirname(path.dirname(own));
  const siblings = options?.syncSiblingAgents && path.basename(root) === 'agents' ? fs.readdirSync(root).map((id) => path.join(root, id, 'agent')) : [];
  for (const directory of new Set([own, ...siblings])) upsertAuthProfile({ profileId, credential, agentDir: directory });
  return profileId;
}

/** Removes all credentials of a provider. @param {{ provider: string, agentDir?: string }} params */
export function removeProviderAuthProfilesWithLock({ provider, agentDir }) {
  const [key, orderKey] = [resolveProviderIdForAuth(provider), normalizeProviderId(provider)];
  const drop = (record, name) => Boolean(record && Object.hasOwn(record, name)) && delete record[name];
  const updater = (store) => {
    const ids = Object.keys(store.profiles).filter((id) => resolveProviderIdForAuth(store.profiles[id].provider) === key);
    const changes = ids.flatMap((id) => [drop(store.profiles, id), drop(store.usageStats, id)]);
    return [...changes, drop(store.order, orderKey), drop(store.lastGood, key)].some(Boolean);
  };
  return updateAuthProfileStoreWithLock({ agentDir, updater });
}

/** Sets the order in which a provider's profiles are tried; none removes it. @param {{ provider: string, order?: string[] | null, agentDir?: string }} params */
export function setAuthProfileOrder({ provider, order, agentDir }) {
  const key = normalizeProviderId(provider);
  const ids = [...new Set((order ?? []).map((id) => String(id).trim()).filter(Boolean))];
  const updater = (store) => {
    if (ids.length === 0) return Boolean(store.order && Object.hasOwn(store.order, key)) && delete store.order[key];
    store.order = { ...store.order, [key]: ids };
    return true;
  };
  return updateAuthProfileStoreWithLock({ agentDir, updater });
}
