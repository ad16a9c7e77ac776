// Directories of people and groups.

/** A directory adapter; without `self` it knows nobody as itself. */
export const createChannelDirectoryAdapter = (params = {}) => ({ ...params, self: 'self' in params ? params.self : async () => null });
export const nullChannelDirectorySelf = async () => null;
export const createEmptyChannelDirectoryAdapter = () => createChannelDirectoryAdapter({ listPeers: async () => [], listGroups: async () => [] });

/** Live lookups that are forwarded to a runtime module. */
export function createRuntimeDirectoryLiveAdapter({ getRuntime, ...resolvers }) {
  const adapter = {};
  for (const name of ['self', 'listPeersLive', 'listGroupsLive', 'listGroupMembers']) {
    if (!resolvers[name]) continue;
    adapter[name] = async (ctx) => {
      const method = resolvers[name](await getRuntime());
      if (!method) throw new Error('Runtime method is unavailable');
      return method(ctx);
    };
  }
  return adapter;
}

/** Lists the distinct ids of an account's sources that contain the query. */
export function createResolvedDirectoryEntriesLister({ kind, resolveAccount, resolveSources, normalizeId }) {
  return async ({ cfg, accountId, query, limit }) => {
    const ids = new Set();
    for (const source of resolveSources(resolveAccount(cfg, accountId))) {
      for (const value of source) {
        const raw = typeof value === 'string' ? value.trim() : '';
        const id = raw && raw !== '*' ? normalizeId(raw)?.trim() : '';
        if (id) ids.add(id);
      }
    }
    const wanted = (query ?? '').trim().toLowerCase();
    const found = [...ids].filter((id) => id.toLowerCase().includes(wanted));
    return (typeof limit === 'number' && limit > 0 ? found.slice(0, limit) : found).map((id) => ({ kind, id }));
  };
}

/** Send functions that are forwarded to a runtime module. */
export function createRuntimeOutboundDelegates({ getRuntime, ...delegates }) {
  const out = {};
  for (const name of ['renderPresentation', 'sendPayload', 'sendText', 'sendMedia', 'sendPoll']) {
    const delegate = delegates[name];
    out[name] = delegate && (async (ctx) => {
      const method = delegate.resolve(await getRuntime());
      if (!method) throw new Error(delegate.unavailableMessage ?? 'Runtime method is unavailable');
      return method(ctx);
    });
  }
  return out;
}
