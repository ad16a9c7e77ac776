// What the host pushes: agent events, transcript updates, configuration changes.
import { peer, snapshot } from '../state.js';

const listeners = new Map();

/** Serves the `runtimeEvent` note. */
export function deliver({ name, payload }) {
  if (name === 'config') snapshot.config = payload?.config ?? payload ?? {};
  if (name === 'verbose') snapshot.verbose = payload === true || payload?.verbose === true;
  for (const { listener } of [...(listeners.get(name) ?? [])]) {
    try {
      listener(payload);
    } catch {
      // A listener's failure is its own.
    }
  }
}

/** Subscribes a plugin's listener; the host is told when the first one comes and the last one goes. */
export function listen(pluginId, name, listener) {
  const rows = listeners.get(name) ?? new Set();
  listeners.set(name, rows);
  const row = { pluginId, listener };
  rows.add(row);
  if (rows.size === 1) peer.note('subscribe', { pluginId, name });
  return () => {
    if (rows.delete(row) && rows.size === 0) peer.note('unsubscribe', { pluginId, name });
  };
}

/** Drops the listeners of a plugin. */
export function forget(pluginId) {
  for (const rows of listeners.values()) for (const row of rows) if (row.pluginId === pluginId) rows.delete(row);
}
