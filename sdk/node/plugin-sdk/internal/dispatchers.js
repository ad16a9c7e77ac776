// Dispatchers for Node's own fetch: connections to checked addresses, or through a proxy. They are agents of the
// undici that is part of Node, so that no package is needed and the fetch they are for understands them.
import { connectThrough, proxyUrlOf } from './proxy-tunnel.js';
import { matchesNoProxy, resolveEnvHttpProxyAgentOptions } from './proxy-env.js';
import { createPinnedLookup } from './pinned-lookup.js';

/** The agent class of Node's fetch. Touching `Response` makes Node load it. */
function agentClass() {
  void globalThis.Response;
  const dispatcher = globalThis[Symbol.for('undici.globalDispatcher.1')];
  for (let type = dispatcher?.constructor; type; type = Object.getPrototypeOf(type)) if (type.name === 'Agent') return type;
  throw new Error("Node's fetch has no agent class here: its global dispatcher was replaced");
}

const timeouts = (timeoutMs) => (timeoutMs > 0 ? { headersTimeout: timeoutMs, bodyTimeout: timeoutMs } : {});
const agent = (options, timeoutMs) => new (agentClass())({ ...timeouts(timeoutMs), ...options });

/**
 * A dispatcher that sends everything through one proxy.
 * @param {string | URL | {uri: string, requestTls?: object, proxyTls?: object}} options
 * @param {number} [timeoutMs]
 * @returns {object} a dispatcher
 */
export function createHttp1ProxyAgent(options, timeoutMs) {
  const { uri, requestTls, proxyTls } = typeof options === 'string' || options instanceof URL ? { uri: options } : options;
  const proxy = proxyUrlOf(uri);
  const connect = ({ hostname, port, protocol, servername }, done) => {
    const secure = protocol === 'https:';
    const target = { host: hostname.replace(/^\[(.*)\]$/, '$1'), port: port || (secure ? 443 : 80), secure, servername };
    connectThrough(proxy, target, { requestTls, proxyTls }).then((socket) => done(null, socket), (error) => done(error));
  };
  return agent({ connect }, timeoutMs);
}

/**
 * A dispatcher that uses the proxies of the environment, and none for the hosts of `NO_PROXY`.
 * @param {{connect?: object, httpProxy?: string, httpsProxy?: string, noProxy?: string, proxyTls?: object, requestTls?: object}} [options]
 * @param {number} [timeoutMs]
 * @returns {object} a dispatcher
 */
export function createHttp1EnvHttpProxyAgent(options = {}, timeoutMs) {
  const env = options.noProxy === undefined ? process.env : { no_proxy: options.noProxy };
  const named = resolveEnvHttpProxyAgentOptions() ?? {};
  const proxies = { 'http:': options.httpProxy ?? named.httpProxy, 'https:': options.httpsProxy ?? options.httpProxy ?? named.httpsProxy };
  const direct = agent({ connect: options.connect }, timeoutMs);
  const tunnels = new Map();
  const choose = (origin) => {
    const url = new URL(origin);
    const proxy = proxies[url.protocol];
    if (!proxy || matchesNoProxy(url.href, env)) return direct;
    if (!tunnels.has(proxy)) tunnels.set(proxy, createHttp1ProxyAgent({ uri: proxy, requestTls: options.requestTls, proxyTls: options.proxyTls }, timeoutMs));
    return tunnels.get(proxy);
  };
  const all = () => [direct, ...tunnels.values()];
  return Object.assign(Object.create(direct), {
    dispatch: (request, handler) => choose(request.origin).dispatch(request, handler),
    close: async () => void (await Promise.all(all().map((one) => one.close()))),
    destroy: async (error) => void (await Promise.all(all().map((one) => one.destroy(error ?? null)))),
  });
}

/**
 * A dispatcher to the addresses that a check of a host name gave.
 * @param {{hostname: string, addresses: string[], lookup?: Function}} pinned
 * @param {object} [policy] `mode` is `direct`, `env-proxy` or `explicit-proxy` (with `proxyUrl`)
 * @param {object} [_ssrfPolicy] what the addresses were checked against
 * @param {number} [timeoutMs]
 * @returns {object} a dispatcher
 */
export function createPinnedDispatcher(pinned, policy, _ssrfPolicy, timeoutMs) {
  if (policy?.mode === 'explicit-proxy') return createHttp1ProxyAgent({ uri: policy.proxyUrl.trim(), requestTls: policy.proxyTls }, timeoutMs);
  const override = policy?.pinnedHostname?.addresses?.length ? policy.pinnedHostname : undefined;
  const lookup = override ? createPinnedLookup(override) : (pinned.lookup ?? createPinnedLookup(pinned));
  const connect = { ...policy?.connect, lookup };
  if (policy?.mode === 'env-proxy') return createHttp1EnvHttpProxyAgent({ connect, proxyTls: policy.proxyTls }, timeoutMs);
  return agent({ connect }, timeoutMs);
}

/**
 * Closes a dispatcher; one that cannot be closed is left alone.
 * @param {object | null | undefined} dispatcher
 * @returns {Promise<void>}
 */
export async function closeDispatcher(dispatcher) {
  try {
    // A dispatcher whose response is still being read closes when that is done; nobody waits for it.
    if (typeof dispatcher?.close === 'function') await Promise.race([dispatcher.close(), new Promise((resolve) => setTimeout(resolve, 50).unref())]);
    else await dispatcher?.destroy?.();
  } catch {
    // It was closed before.
  }
}
