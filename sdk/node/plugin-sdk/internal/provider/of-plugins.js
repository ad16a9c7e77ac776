// Providers of models that the plugins of this worker have; those of others are the gateway's to ask.
import { plugins } from '../../../worker/state.js';
import { normalizeProviderId } from './id.js';

const rows = () => [...plugins.values()].flatMap(({ id, given }) => (given ?? []).filter(({ method }) => method === 'registerProvider').map(({ args }) => ({ pluginId: id, provider: args[0] })));

/** The providers of this worker with the ids of their plugins. @returns {any[]} */
export const resolvePluginProviders = () => rows().map(({ pluginId, provider }) => Object.assign({}, provider, { pluginId }));
/** Nothing loads in the background here. @returns {false} */
export const isPluginProvidersLoadInFlight = () => false;
/** Plugins of this worker that have providers. @returns {string[]} */
export const resolveCatalogHookProviderPluginIds = () => [...new Set(rows().map(({ pluginId }) => pluginId))].sort((a, b) => a.localeCompare(b));

/** The plugins that own a provider, by given manifests or by this worker. @param {{provider: string, manifestRegistry?: {plugins: any[]}}} params @returns {string[] | undefined} */
export function resolveOwningPluginIdsForProvider({ provider, manifestRegistry }) {
  const wanted = normalizeProviderId(provider);
  if (!wanted) return undefined;
  const is = (name) => normalizeProviderId(name) === wanted;
  const owners = manifestRegistry
    ? manifestRegistry.plugins.filter(({ providers, cliBackends }) => providers.some(is) || cliBackends.some(is)).map(({ id }) => id)
    : rows().filter((row) => [row.provider.id, ...(row.provider.aliases ?? [])].some(is)).map(({ pluginId }) => pluginId).sort((a, b) => a.localeCompare(b));
  return owners.length > 0 ? [...new Set(owners)] : undefined;
}

/** Models that the providers of this worker add to a catalogue. @param {{context: any}} params @returns {Promise<any[]>} */
export async function augmentModelCatalogWithProviderPlugins({ context }) {
  const added = [];
  for (const { provider } of rows()) added.push(...((await provider.augmentModelCatalog?.(context)) ?? []));
  return added;
}
