// Addresses: which are of this machine or a private network, and where a request really came from.
import net from 'node:net';
import { normalizeHostname } from './hostnames.js';
import { isPrivateIpAddress } from './ssrf.js';

const list = (v4, v6) => {
  const out = new net.BlockList();
  for (const [address, bits] of v4) out.addSubnet(address, bits, 'ipv4');
  for (const [address, bits] of v6) out.addSubnet(address, bits, 'ipv6');
  return out;
};
const LOOPBACK = list([['127.0.0.0', 8]], [['::1', 128]]);
const PRIVATE = list([['127.0.0.0', 8], ['10.0.0.0', 8], ['172.16.0.0', 12], ['192.168.0.0', 16], ['169.254.0.0', 16], ['100.64.0.0', 10]], []);
const kindOf = (address) => (net.isIPv6(address) ? 'ipv6' : 'ipv4');

/**
 * An address in its usual spelling: no brackets, IPv4 inside IPv6 as IPv4.
 * @param {string | null | undefined} ip
 * @returns {string | undefined} `undefined` for what is no address
 */
export function normalizeIpAddress(ip) {
  const text = normalizeHostname(ip ?? '').split('%')[0];
  const inner = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/.exec(text)?.[1] ?? text;
  return net.isIP(inner) ? inner : undefined;
}

/**
 * @param {string | undefined} ip
 * @returns {boolean}
 */
export function isLoopbackAddress(ip) {
  const address = normalizeIpAddress(ip);
  return address !== undefined && LOOPBACK.check(address, kindOf(address));
}

/**
 * Whether a host is this machine or lies in a private network, by its address or as `localhost`.
 * @param {string} host a host, with or without brackets
 * @returns {boolean}
 */
export function isPrivateOrLoopbackHost(host) {
  const name = normalizeHostname(host?.trim() ?? '');
  const address = normalizeIpAddress(name);
  if (name === 'localhost' || address === undefined) return name === 'localhost';
  if (net.isIPv4(address)) return PRIVATE.check(address, 'ipv4');
  return isPrivateIpAddress(address) && !address.startsWith('ff') && address !== '::';
}

/**
 * @param {string} host
 * @returns {boolean} whether it is this machine
 */
export const isLoopbackHost = (host) => normalizeHostname(host?.trim() ?? '') === 'localhost' || isLoopbackAddress(host);

/** An address with or without a port, as proxies write it. */
function literal(raw) {
  const text = raw?.trim() ?? '';
  return normalizeIpAddress(/^\[([^\]]*)\]/.exec(text)?.[1] ?? (/^[\d.]+:\d+$/.test(text) ? text.split(':')[0] : text));
}

/**
 * Whether an address is one of the trusted proxies.
 * @param {string | undefined} ip
 * @param {string[] | undefined} trustedProxies addresses and ranges (`10.0.0.0/8`)
 * @returns {boolean}
 */
export function isTrustedProxyAddress(ip, trustedProxies) {
  const address = normalizeIpAddress(ip);
  if (!address) return false;
  return (trustedProxies ?? []).some((entry) => {
    const [base, bits] = entry.trim().split('/');
    const proxy = normalizeIpAddress(base);
    if (!proxy || net.isIP(proxy) !== net.isIP(address)) return false;
    const width = bits === undefined ? undefined : Number(bits);
    if (width === undefined) return proxy === address;
    if (!/^\d+$/.test(bits) || width > (net.isIPv6(proxy) ? 128 : 32)) return false;
    return list(...(net.isIPv6(proxy) ? [[], [[proxy, width]]] : [[[proxy, width]], []])).check(address, kindOf(address));
  });
}

/**
 * Where a request came from: the peer, or, behind trusted proxies, the last address that is none of them.
 * @param {{remoteAddr?: string, forwardedFor?: string, realIp?: string, trustedProxies?: string[], allowRealIpFallback?: boolean}} params
 * @returns {string | undefined}
 */
export function resolveClientIp({ remoteAddr, forwardedFor, realIp, trustedProxies, allowRealIpFallback }) {
  const remote = normalizeIpAddress(remoteAddr);
  if (!remote || !isTrustedProxyAddress(remote, trustedProxies)) return remote;
  const hops = (forwardedFor ?? '').split(',').map(literal).filter(Boolean).reverse();
  const client = hops.find((hop) => !isLoopbackAddress(hop) && !isTrustedProxyAddress(hop, trustedProxies));
  return client ?? (allowRealIpFallback ? literal(realIp) : undefined);
}

/**
 * The same for a request of Node.
 * @param {import('node:http').IncomingMessage | undefined} req
 * @param {string[]} [trustedProxies]
 * @param {boolean} [allowRealIpFallback]
 * @returns {string | undefined}
 */
export function resolveRequestClientIp(req, trustedProxies, allowRealIpFallback = false) {
  if (!req) return undefined;
  const header = (name) => [req.headers?.[name]].flat()[0];
  return resolveClientIp({ remoteAddr: req.socket?.remoteAddress ?? '', forwardedFor: header('x-forwarded-for'), realIp: header('x-real-ip'), trustedProxies, allowRealIpFallback });
}
