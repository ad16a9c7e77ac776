// Adapter `provider`: gives a provider's catalogue or hook the look-ups that cannot be sent as data.
import { peer } from '../state.js';

/** Runs the function with the context; the value may be a promise. */
export function run(row, [ctx = {}]) {
  const { models, ...rest } = ctx;
  const own = ctx.provider;
  const ask = (id) => peer.requestSync('host.modelAuth.providerAuth', { pluginId: row.pluginId, provider: id ?? own });
  return row.fn.call(row.self, {
    ...rest,
    env: process.env,
    resolveProviderApiKey: (id) => {
      const { apiKey, discoveryApiKey } = ask(id);
      return { apiKey: apiKey ?? undefined, discoveryApiKey: discoveryApiKey ?? undefined };
    },
    resolveProviderAuth: (id, options) => {
      const found = ask(id);
      const marked = found.mode === 'oauth' && options?.oauthMarker ? options.oauthMarker : found.apiKey;
      return { ...found, apiKey: marked ?? undefined, discoveryApiKey: found.discoveryApiKey ?? undefined };
    },
    ...(models === undefined ? {} : { modelRegistry: registryOf(own, models) }),
  });
}

function registryOf(provider, models) {
  const rows = (Array.isArray(models) ? models : []).map((row) => ({ provider, ...(typeof row === 'string' ? { id: row } : row) }));
  return {
    find: (wanted, id) => rows.find((row) => row.provider === wanted && row.id === id),
    getAll: () => rows,
    getAvailable: () => rows,
  };
}
