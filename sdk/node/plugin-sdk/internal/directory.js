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
