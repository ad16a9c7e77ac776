// `api.runtime` of media and the web: requests to the providers that plugins bring.
import { snapshot } from '../state.js';
import { ask, askSync } from './group.js';

/** The host knows its own config, so only another one is sent along. */
function packed(params) {
  if (!params || typeof params !== 'object') return params;
  const { signal: _signal, ...rest } = params;
  for (const name of ['cfg', 'config']) if (rest[name] === snapshot.config) delete rest[name];
  return rest;
}

function request(plugin, method) {
  return (params) => ask(plugin, method, { args: [packed(params)] }, params?.signal);
}

function requestSync(plugin, method) {
  return (params) => askSync(plugin, method, { args: [packed(params)] });
}

/** The groups of one plugin. */
export function capabilityGroups(plugin) {
  const generator = (name) => ({
    generate: request(plugin, `host.${name}.generate`),
    listProviders: requestSync(plugin, `host.${name}.listProviders`),
  });
  return {
    imageGeneration: generator('imageGeneration'),
    videoGeneration: generator('videoGeneration'),
    musicGeneration: generator('musicGeneration'),
    webSearch: { search: request(plugin, 'host.webSearch.search'), listProviders: requestSync(plugin, 'host.webSearch.listProviders') },
  };
}
