// Proxies that the environment names.

const read = (env, name) => {
  const own = env[name.toLowerCase()] ?? env[name];
  return typeof own === 'string' ? own.trim() : undefined;
};

/**
 * The proxy for a protocol; HTTPS falls back to that of HTTP. Lower-case names win.
 * @param {'http' | 'https'} protocol
 * @param {NodeJS.ProcessEnv} [env]
 * @returns {string | undefined}
 */
export function resolveEnvHttpProxyUrl(protocol, env = process.env) {
  const http = read(env, 'HTTP_PROXY');
  return (protocol === 'https' ? read(env, 'HTTPS_PROXY') || http : http) || undefined;
}

/**
 * The proxies for both protocols, `ALL_PROXY` included.
 * @param {NodeJS.ProcessEnv} [env]
 * @returns {{httpProxy?: string, httpsProxy?: string} | undefined}
 */
export function resolveEnvHttpProxyAgentOptions(env = process.env) {
  const httpProxy = resolveEnvHttpProxyUrl('http', env) ?? (read(env, 'ALL_PROXY') || undefined);
  const httpsProxy = resolveEnvHttpProxyUrl('https', env) ?? httpProxy;
  if (!httpsProxy) return undefined;
  return { ...(httpProxy ? { httpProxy } : {}), httpsProxy };
}

/**
 * @param {'http' | 'https'} [protocol]
 * @param {NodeJS.ProcessEnv} [env]
 * @returns {boolean}
 */
export const hasEnvHttpProxyConfigured = (protocol = 'https', env = process.env) => resolveEnvHttpProxyUrl(protocol, env) !== undefined;

/**
 * @param {NodeJS.ProcessEnv} [env]
 * @returns {boolean}
 */
export const hasEnvHttpProxyAgentConfigured = (env = process.env) => resolveEnvHttpProxyAgentOptions(env) !== undefined;

/**
 * Whether any variable names a proxy.
 * @param {NodeJS.ProcessEnv} [env]
 * @returns {boolean}
 */
export const hasProxyEnvConfigured = (env = process.env) =>
  ['HTTP_PROXY', 'HTTPS_PROXY', 'ALL_PROXY'].some((name) => [name, name.toLowerCase()].some((key) => env[key]?.trim()));

/**
 * Whether `NO_PROXY` names the host of a URL.
 * @param {string} targetUrl
 * @param {NodeJS.ProcessEnv} [env]
 * @returns {boolean}
 */
export function matchesNoProxy(targetUrl, env = process.env) {
  const rule = env.no_proxy ?? env.NO_PROXY;
  if (!rule || !URL.canParse(targetUrl)) return false;
  if (rule.trim() === '*') return true;
  const url = new URL(targetUrl);
  const host = url.hostname.toLowerCase().replace(/^\[(.*)\]$/, '$1');
  const port = url.port || { 'http:': '80', 'https:': '443' }[url.protocol];
  return rule.split(/[,\s]+/).filter(Boolean).some((entry) => {
    const [, rawName, rawPort] = /^(\[[^\]]*\]|[^:]*|[^:]*:[^:]*:.*?)(?::(\d+))?$/.exec(entry) ?? [];
    const name = rawName?.toLowerCase().replace(/^\[(.*)\]$/, '$1').replace(/^\*?\./, '');
    if (!name || (rawPort && rawPort !== port)) return false;
    return host === name || host.endsWith(`.${name}`);
  });
}

/**
 * Whether a request to a URL goes through the proxy of the environment.
 * @param {string} targetUrl
 * @param {NodeJS.ProcessEnv} [env]
 * @returns {boolean}
 */
export function shouldUseEnvHttpProxyForUrl(targetUrl, env = process.env) {
  const protocol = URL.canParse(targetUrl) ? new URL(targetUrl).protocol.slice(0, -1) : '';
  return ['http', 'https'].includes(protocol) && hasEnvHttpProxyConfigured(protocol, env) && !matchesNoProxy(targetUrl, env);
}
