// Values that exist once in a process, whatever copies of a module there are.

/**
 * @template T
 * @param {symbol} key
 * @param {() => T} create
 * @returns {T}
 */
export function resolveGlobalSingleton(key, create) {
  if (!Object.hasOwn(globalThis, key)) globalThis[key] = create();
  return globalThis[key];
}

/**
 * @param {symbol} key
 * @returns {Map<unknown, unknown>}
 */
export const resolveGlobalMap = (key) => resolveGlobalSingleton(key, () => new Map());

/**
 * Ids per scope that are forgotten after a time.
 * @param {{store: Map<string, Map<string, number>>, ttlMs: number, cleanupThreshold: number}} options
 * @returns {{record: (scope: string | number, id: string | number, now?: number) => void, has: (scope: string | number, id: string | number, now?: number) => boolean, clear: () => void}}
 */
export function createScopedExpiringIdCache({ store, ttlMs, cleanupThreshold }) {
  const sweep = (scope, ids, now) => {
    for (const [id, at] of ids) if (now - at > ttlMs) ids.delete(id);
    if (ids.size === 0) store.delete(scope);
  };
  return {
    record(rawScope, rawId, now = Date.now()) {
      const scope = String(rawScope);
      const ids = store.get(scope) ?? new Map();
      store.set(scope, ids);
      ids.set(String(rawId), now);
      if (ids.size > cleanupThreshold) sweep(scope, ids, now);
    },
    has(rawScope, rawId, now = Date.now()) {
      const ids = store.get(String(rawScope));
      if (!ids) return false;
      sweep(String(rawScope), ids, now);
      return ids.has(String(rawId));
    },
    clear: () => store.clear(),
  };
}
