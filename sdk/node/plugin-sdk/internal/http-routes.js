// Routes that a plugin adds while it runs: the host keeps them, and calls the handler.
import { createLogger } from '../../worker/logger.js';
import { peer, plugins } from '../../worker/state.js';
import { normalizePluginHttpPath, registerWebhookTarget } from './webhook-targets.js';

const ownerOf = (given) => (plugins.has(given) ? given : plugins.size === 1 ? plugins.keys().next().value : undefined);

/**
 * Adds a route and returns what takes it away again. A route that cannot be added is told to `log`.
 * @param {{path?: string | null, fallbackPath?: string | null, handler: Function, auth: 'gateway' | 'plugin', match?: 'exact' | 'prefix', gatewayRuntimeScopeSurface?: string, replaceExisting?: boolean, pluginId?: string, accountId?: string, log?: (message: string) => void, registry?: object}} params
 * @returns {() => void}
 */
export function registerPluginHttpRoute(params) {
  const account = params.accountId ? ` (account "${params.accountId}")` : '';
  const tell = (message) => params.log?.(`plugin: ${message}${account}`);
  const path = normalizePluginHttpPath(params.path, params.fallbackPath);
  if (!path) {
    tell('the webhook path is missing');
    return () => {};
  }
  // A registry of the caller's own, as tests bring: nothing reaches the gateway.
  if (params.registry) return intoRegistry(params, path, tell);
  if (!peer) throw Object.assign(new Error('routes are served by the gateway; this works only inside a plugin worker'), { code: 'NOT_BUILT' });
  const pluginId = ownerOf(params.pluginId);
  const { auth, match, gatewayRuntimeScopeSurface, replaceExisting, handler } = params;
  const before = peer.exports.pluginId;
  peer.exports.pluginId = pluginId;
  let answer;
  try {
    answer = peer.requestSync('host.http.addRoute', { pluginId, path, auth, match, gatewayRuntimeScopeSurface, replaceExisting, handler });
  } finally {
    peer.exports.pluginId = before;
  }
  if (answer.refused) {
    tell(answer.refused);
    return () => {};
  }
  if (answer.replaced) tell(`replaced the earlier route at ${path}`);
  let present = true;
  return () => {
    if (!present) return;
    present = false;
    peer.request('host.http.removeRoute', { pluginId, id: answer.id }).catch((error) => createLogger(pluginId).debug(error.message));
  };
}

function intoRegistry({ registry, match = 'exact', auth, handler, pluginId, source, replaceExisting, gatewayRuntimeScopeSurface }, path, tell) {
  const routes = (registry.httpRoutes ??= []);
  const at = routes.findIndex((route) => route.path === path && route.match === match);
  if (at >= 0) {
    const other = routes[at];
    if (other.auth !== auth || !replaceExisting || (other.pluginId && pluginId && other.pluginId !== pluginId)) {
      tell(`the route ${path} (${match}) is taken by ${other.pluginId ?? 'another plugin'}`);
      return () => {};
    }
    routes.splice(at, 1);
  }
  const entry = { path, handler, auth, match, ...(gatewayRuntimeScopeSurface ? { gatewayRuntimeScopeSurface } : {}), pluginId, source };
  routes.push(entry);
  return () => {
    const index = routes.indexOf(entry);
    if (index >= 0) routes.splice(index, 1);
  };
}

/**
 * Adds a receiver to its path, and the path's route with the first one.
 * @param {{targetsByPath: Map<string, any[]>, target: {path: string}, route: object, onLastPathTargetRemoved?: (info: {path: string}) => void}} params
 */
export function registerWebhookTargetWithPluginRoute({ targetsByPath, target, route, onLastPathTargetRemoved }) {
  return registerWebhookTarget(targetsByPath, target, {
    onFirstPathTarget: ({ path }) => registerPluginHttpRoute({ ...route, path, replaceExisting: route.replaceExisting ?? true }),
    onLastPathTargetRemoved,
  });
}
