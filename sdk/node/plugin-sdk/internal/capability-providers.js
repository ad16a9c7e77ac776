// Which provider of a capability is used: the one that configuration names, else the first that is ready.
import { normalizeOptionalLowercaseString, normalizeOptionalString } from './strings.js';

const order = (provider) => provider.autoSelectOrder ?? Number.MAX_SAFE_INTEGER;

/** A provider's id in canonical form. @param {unknown} id @returns {string | undefined} */
export const normalizeCapabilityProviderId = (id) => normalizeOptionalLowercaseString(id);

/** The settings of a provider: under its own id, then under the one that configuration names. @param {{ providerId: string, configuredProviderId?: string, providerConfigs?: object }} params @returns {object} */
export function resolveProviderRawConfig({ providerId, configuredProviderId, providerConfigs }) {
  const of = (id) => (id && typeof providerConfigs?.[id] === 'object' ? providerConfigs[id] : undefined);
  return { ...of(providerId), ...of(configuredProviderId) };
}

function candidate(params, provider, configuredProviderId) {
  const rawConfig = resolveProviderRawConfig({ providerId: provider.id, configuredProviderId, providerConfigs: params.providerConfigs });
  const providerConfig = params.resolveProviderConfig({ provider, cfg: params.cfgForResolve, rawConfig });
  const ready = params.isProviderConfigured({ provider, cfg: params.cfg, providerConfig });
  return ready ? { ok: true, configuredProviderId, provider, providerConfig } : { ok: false, code: 'provider-not-configured', configuredProviderId, provider };
}

/** The provider with its settings, or why there is none. @param {object} params */
export function resolveConfiguredCapabilityProvider(params) {
  const configuredProviderId = normalizeOptionalString(params.configuredProviderId);
  if (configuredProviderId) {
    const provider = params.getConfiguredProvider(configuredProviderId);
    return provider ? candidate(params, provider, configuredProviderId) : { ok: false, code: 'missing-configured-provider', configuredProviderId };
  }
  const providers = [...params.listProviders()].sort((a, b) => order(a) - order(b));
  if (providers.length === 0) return { ok: false, code: 'no-registered-provider' };
  const tried = providers.map((provider) => candidate(params, provider));
  return tried.find(({ ok }) => ok) ?? { ok: false, code: 'provider-not-configured', provider: providers[0] };
}

/** The provider alone. @param {{ configuredProviderId?: string, getConfiguredProvider: (id: string) => object | undefined, listProviders: () => Iterable<object> }} params */
export function selectConfiguredOrAutoProvider({ configuredProviderId: named, getConfiguredProvider, listProviders }) {
  const configuredProviderId = normalizeOptionalString(named);
  const found = configuredProviderId ? getConfiguredProvider(configuredProviderId) : undefined;
  if (configuredProviderId && !found) return { configuredProviderId, missingConfiguredProvider: true, provider: undefined };
  const first = (best, provider) => (best && order(best) <= order(provider) ? best : provider);
  return { configuredProviderId, missingConfiguredProvider: false, provider: found ?? [...listProviders()].reduce(first, undefined) };
}

/** Chooses among the providers that the caller hands over; none is an error. @param {object} params */
export function selectCapabilityProvider({ providers = [], configuredProviderId, providerConfigs, cfg, cfgForResolve, label, none, configOf, isConfigured }) {
  const found = resolveConfiguredCapabilityProvider({
    configuredProviderId, providerConfigs, cfg, cfgForResolve,
    getConfiguredProvider: (id) => providers.find((provider) => provider.id === id),
    listProviders: () => providers,
    resolveProviderConfig: ({ provider, rawConfig }) => configOf(provider, rawConfig),
    isProviderConfigured: ({ provider, providerConfig }) => isConfigured(provider, providerConfig),
  });
  if (found.ok) return { provider: found.provider, providerConfig: found.providerConfig };
  if (found.code === 'missing-configured-provider') throw new Error(`${label} "${found.configuredProviderId}" is not registered`);
  throw new Error(found.code === 'no-registered-provider' ? none : `${label} "${found.provider?.id}" is not configured`);
}
