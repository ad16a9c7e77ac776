// The slot in which a plugin keeps its runtime for its other modules.

const SLOTS = Symbol.for('openclaw.plugin-sdk.runtime-store-registry');

function slotFor(options) {
  if (typeof options === 'string') return { runtime: null };
  let { key } = options;
  if ('pluginId' in options) {
    const pluginId = options.pluginId.trim();
    if (!pluginId) throw new Error('createPluginRuntimeStore: pluginId must not be empty');
    key = `plugin-runtime:${pluginId}`;
  }
  globalThis[SLOTS] ??= new Map();
  if (!globalThis[SLOTS].has(key)) globalThis[SLOTS].set(key, { runtime: null });
  return globalThis[SLOTS].get(key);
}

/** A store that is shared by all who name the same plugin or key; private when only a message is given. */
export function createPluginRuntimeStore(options) {
  const slot = slotFor(options);
  const message = typeof options === 'string' ? options : options.errorMessage;
  return {
    setRuntime: (next) => void (slot.runtime = next),
    clearRuntime: () => void (slot.runtime = null),
    tryGetRuntime: () => slot.runtime ?? null,
    getRuntime() {
      if (slot.runtime === null) throw new Error(message);
      return slot.runtime;
    },
  };
}
