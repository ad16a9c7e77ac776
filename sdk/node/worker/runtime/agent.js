// `api.runtime.agent`: its session store and defaults.
import { isDeepStrictEqual } from 'node:util';
import { snapshot } from '../state.js';
import { ask, askSync } from './group.js';

/** Adds what is not a plain request. */
export function finishAgent(agent, plugin) {
  agent.defaults = snapshot.defaults ?? { provider: 'anthropic', model: 'claude-opus-4-6' };
  agent.session = sessionStoreOf(plugin);
}

/** Session stores, as a plugin reads and changes them. */
export function sessionStoreOf(plugin) {
  return {
    resolveStorePath: (store, options) => askSync(plugin, 'host.session.resolveStorePath', { store, ...options }),
    resolveSessionFilePath: (sessionId, entry, options) => askSync(plugin, 'host.session.resolveSessionFilePath', { sessionId, entry, ...options }),
    loadSessionStore: (storePath) => askSync(plugin, 'host.session.loadStore', { storePath }),
    saveSessionStore: (storePath, store) => inTurn(() => writeStore(plugin, storePath, () => store)),
    updateSessionStore: (storePath, mutator) =>
      inTurn(async () => {
        let result;
        await writeStore(plugin, storePath, async (current) => {
          result = await mutator(current);
          return current;
        });
        return result;
      }),
    updateSessionStoreEntry: ({ storePath, sessionKey, update }) =>
      inTurn(async () => {
        let entry = null;
        await writeStore(plugin, storePath, async (current) => {
          if (!current[sessionKey]) return current;
          const patch = await update(structuredClone(current[sessionKey]));
          entry = { ...current[sessionKey], ...patch };
          return { ...current, [sessionKey]: entry };
        });
        return entry;
      }),
  };
}

let lastWrite = Promise.resolve();

/** Writes of session stores run one after another: a mutator sees what the one before it wrote. */
function inTurn(work) {
  const done = lastWrite.then(work);
  lastWrite = done.catch(() => {});
  return done;
}

/** Sends only what differs, member by member, so that what the gateway changes at the same time is kept. */
async function writeStore(plugin, storePath, change) {
  const before = await ask(plugin, 'host.session.loadStore', { storePath });
  const after = await change(structuredClone(before));
  const rows = {};
  for (const key of new Set([...Object.keys(before), ...Object.keys(after ?? {})])) {
    const row = rowChange(before[key], after[key]);
    if (row !== undefined) rows[key] = row;
  }
  if (Object.keys(rows).length > 0) await ask(plugin, 'host.session.patchStore', { storePath, rows });
}

/** `null` for a row that goes, `{set, unset}` for one that changes, nothing for one that stays. */
function rowChange(before, after) {
  if (after === undefined || after === null) return before === undefined ? undefined : null;
  const set = {};
  for (const [name, value] of Object.entries(after)) if (value !== undefined && !isDeepStrictEqual(value, before?.[name])) set[name] = value;
  const unset = Object.keys(before ?? {}).filter((name) => after[name] === undefined);
  return Object.keys(set).length || unset.length ? { set, unset } : undefined;
}
