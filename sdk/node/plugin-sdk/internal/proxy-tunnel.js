// Connections through HTTP proxies, for Node's agents and for its fetch.
import http from 'node:http';
import https from 'node:https';
import net from 'node:net';
import tls from 'node:tls';
import { resolveEnvHttpProxyAgentOptions, matchesNoProxy } from './proxy-env.js';

const PROTOCOLS = new Set(['http:', 'https:']);
/** A proxy that does not answer must not hold a request for ever. */
const CONNECT_TIMEOUT_MS = 30_000;

/**
 * A proxy's URL; without a scheme it is an HTTP proxy.
 * @param {string | URL} input
 * @returns {URL} throws on a protocol that is no HTTP
 */
export function proxyUrlOf(input) {
  const text = String(input).trim();
  const url = new URL(/^[a-z][a-z\d+.-]*:\/\//i.test(text) ? text : `http://${text}`);
  if (!PROTOCOLS.has(url.protocol)) throw new Error(`Unsupported proxy protocol "${url.protocol}"; use http or https`);
  return url;
}

/**
 * Opens a tunnel to a host through a proxy.
 * @param {URL} proxy
 * @param {{host: string, port: number | string}} target
 * @param {tls.ConnectionOptions} [proxyTls] how an HTTPS proxy is trusted
 * @returns {Promise<net.Socket>}
 */
export function openTunnel(proxy, { host, port }, proxyTls) {
  const { request } = proxy.protocol === 'https:' ? https : http;
  const authority = `${net.isIPv6(host) ? `[${host}]` : host}:${port}`;
  const auth = proxy.username ? `${decodeURIComponent(proxy.username)}:${decodeURIComponent(proxy.password)}` : undefined;
  return new Promise((resolve, reject) => {
    const req = request({
      ...proxyTls, host: proxy.hostname.replace(/^\[(.*)\]$/, '$1'), port: proxy.port || (proxy.protocol === 'https:' ? 443 : 80),
      method: 'CONNECT', path: authority, agent: false, timeout: CONNECT_TIMEOUT_MS,
      headers: { host: authority, ...(auth ? { 'proxy-authorization': `Basic ${Buffer.from(auth).toString('base64')}` } : {}) },
    });
    req.on('connect', (res, socket, head) => {
      if (res.statusCode !== 200) {
        socket.destroy();
        reject(new Error(`the proxy ${proxy.host} refused the tunnel to ${authority} (status ${res.statusCode})`));
        return;
      }
      if (head.length > 0) socket.unshift(head);
      socket.setTimeout(0);
      resolve(socket);
    });
    req.on('timeout', () => req.destroy(new Error(`the proxy ${proxy.host} did not answer within ${CONNECT_TIMEOUT_MS} ms`)));
    req.on('error', reject);
    req.end();
  });
}

/**
 * A tunnel, with TLS to the target when its protocol wants it.
 * @param {URL} proxy
 * @param {{host: string, port: number | string, secure: boolean, servername?: string}} target
 * @param {{proxyTls?: object, requestTls?: object}} [options]
 * @returns {Promise<net.Socket>}
 */
export async function connectThrough(proxy, { host, port, secure, servername }, { proxyTls, requestTls } = {}) {
  const socket = await openTunnel(proxy, { host, port }, proxyTls);
  if (!secure) return socket;
  return new Promise((resolve, reject) => {
    const name = servername || (net.isIP(host) ? undefined : host);
    const secured = tls.connect({ ALPNProtocols: ['http/1.1'], ...requestTls, socket, servername: name }, () => resolve(secured));
    secured.once('error', reject);
  });
}

function tunnelAgent(proxy, secure) {
  const Agent = secure ? https.Agent : http.Agent;
  const agent = new Agent({ keepAlive: true });
  agent.createConnection = (options, done) => {
    const target = { host: options.host ?? options.hostname, port: options.port ?? (secure ? 443 : 80), secure, servername: options.servername };
    connectThrough(proxy, target, { requestTls: secure ? { ca: options.ca, rejectUnauthorized: options.rejectUnauthorized } : undefined }).then((socket) => done(null, socket), done);
    return undefined;
  };
  agent.proxyUrl = proxy;
  return agent;
}

/**
 * An agent for `node:http` or `node:https` that goes through a proxy.
 * @param {{mode: 'explicit', proxyUrl: string | URL, protocol?: 'http' | 'https'} | {mode: 'env', targetUrl: string | URL, protocol?: 'http' | 'https'}} options
 * @returns {http.Agent | undefined} `undefined` when the environment names no proxy for the target
 */
export function createNodeProxyAgent(options) {
  if (options.mode === 'explicit') return tunnelAgent(proxyUrlOf(options.proxyUrl), (options.protocol ?? 'https') === 'https');
  const target = String(options.targetUrl);
  const protocol = options.protocol ?? (target.startsWith('http:') || target.startsWith('ws:') ? 'http' : 'https');
  const proxies = resolveEnvHttpProxyAgentOptions();
  const proxy = protocol === 'http' ? proxies?.httpProxy : proxies?.httpsProxy;
  return proxy && !matchesNoProxy(target) ? tunnelAgent(proxyUrlOf(proxy), protocol === 'https') : undefined;
}
