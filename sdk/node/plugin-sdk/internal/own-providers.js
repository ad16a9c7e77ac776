// The providers that the plugins of this worker registered. Those of other plugins live in other processes: the gateway calls them.
import { plugins } from '../../worker/state.js';
import { normalizeCapabilityProviderId } from './capability-providers.js';

/**
 * The providers of one kind.
 * @param {string} method the registration, such as `registerSpeechProvider`
 * @returns {any[]}
 */
export const ownProviders = (method) => [...plugins.values()].flatMap(({ given }) => (given ?? []).filter((row) => row.method === method).map(({ args }) => args[0]));

/**
 * Functions that find the providers of one kind by their ids and other names.
 * @param {string} method
 * @returns {{list: (cfg?: object) => any[], get: (id: unknown, cfg?: object) => any, canonicalize: (id: unknown, cfg?: object) => string | undefined}}
 */
export function providerLookup(method) {
  const get = (id) => {
    const wanted = normalizeCapabilityProviderId(id);
    return wanted ? ownProviders(method).find((provider) => [provider.id, ...(provider.aliases ?? [])].some((name) => normalizeCapabilityProviderId(name) === wanted)) : undefined;
  };
  return { list: () => ownProviders(method), get, canonicalize: (id) => get(id)?.id ?? normalizeCapabilityProviderId(id) };
}
