// How members of `api.runtime` reach the host: requests, blocking requests, or computed here.
import { peer } from '../state.js';
import { LOCAL } from './local.js';

/** Host methods that take the one argument as named parameters. */
const NAMED = new Set([
  'host.subagent.run', 'host.subagent.waitForRun', 'host.subagent.getSessionMessages', 'host.subagent.deleteSession',
  'host.nodes.list', 'host.nodes.invoke', 'host.modelAuth.getApiKeyForModel', 'host.modelAuth.resolveApiKeyForProvider',
  'host.modelAuth.getRuntimeAuthForModel', 'host.system.runHeartbeatOnce', 'host.system.requestHeartbeat',
]);
const ALIASES = new Map([
  ['host.modelAuth.getApiKeyForModel', 'host.modelAuth.resolve'],
  ['host.modelAuth.resolveApiKeyForProvider', 'host.modelAuth.resolve'],
  ['host.subagent.getSession', 'host.subagent.getSessionMessages'],
]);

/** A request on the main lane. */
export function ask(plugin, method, params, signal) {
  return peer.request(method, { pluginId: plugin.id, ...params }, { signal });
}

/** A request that blocks until the host answers. */
export function askSync(plugin, method, params) {
  return peer.requestSync(method, { pluginId: plugin.id, ...params });
}

function paramsOf(method, args) {
  return NAMED.has(method) ? args[0] : { args };
}

/**
 * Builds one group. `async` members are requests on the main lane, `sync` ones block until the host answers,
 * `local` ones are computed in the worker. The request is `host.<group>.<name>` with `{pluginId, args}`
 * unless `NAMED` gives it named parameters.
 */
export function group(plugin, name, { async = [], sync = [], local = [] }) {
  const out = {};
  for (const member of async) {
    const method = `host.${name}.${member}`;
    out[member] = (...args) => {
      const { signal, cfg: _cfg, ...rest } = args[0] && typeof args[0] === 'object' ? args[0] : {};
      const target = ALIASES.get(method) ?? method;
      if (NAMED.has(target) || NAMED.has(method)) return ask(plugin, target, rest, signal);
      return ask(plugin, target, { args });
    };
  }
  for (const member of sync) {
    const method = `host.${name}.${member}`;
    out[member] = (...args) => askSync(plugin, method, paramsOf(method, args));
  }
  for (const member of local) out[member] = LOCAL[`${name}.${member}`];
  return out;
}
