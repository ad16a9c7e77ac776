// What the host pushes: agent events, transcript updates, configuration changes.
import { peer, snapshot } from '../state.js';

const listeners = new Map();

/** Serves the `runtimeEvent` note. It is sent once for each plugin of a group, so only that plugin's listeners get it. */
export function deliver({ name, payload, pluginId }) {
  if (name === 'config') snapshot.config = payload?.config ?? payload ?? {};
  if (name === 'verbose') snapshot.verbose = payload === true || payload?.verbose === true;
  for (const row of [...(listeners.get(name) ?? [])]) {
    if (pluginId !== undefined && row.pluginId !== pluginId) continue;
    try {
      row.listener(payload);
    } catch {
      // A listener's failure is its own.
    }
  }
}

/** Subscribes a plugin's listener; the host is told of the first one of a plugin, and when its last one goes. */
export function listen(pluginId, name, listener) {
  const rows = listeners.get(name) ?? new Set();
  listeners.set(name, rows);
  const row = { pluginId, listener };
  const first = !has(rows, pluginId);
  rows.add(row);
  if (first) peer.note('subscribe', { pluginId, name });
  return () => {
    if (rows.delete(row) && !has(rows, pluginId)) peer.note('unsubscribe', { pluginId, name });
  };
}

function has(rows, pluginId) {
  for (const row of rows) if (row.pluginId === pluginId) return true;
  return false;
}

/** Drops the listeners of a plugin. */
export function forget(pluginId) {
  for (const rows of listeners.values()) for (const row of rows) if (row.pluginId === pluginId) rows.delete(row);
}
