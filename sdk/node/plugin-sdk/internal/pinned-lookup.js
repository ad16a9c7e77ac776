// Name look-ups that answer with addresses which were checked before.
import dns from 'node:dns';
import { normalizeHostname } from './hostnames.js';

/**
 * A lookup that gives one host the addresses that were checked; other hosts are looked up as usual.
 * @param {{hostname: string, addresses: string[], fallback?: Function}} params
 * @returns {Function} for `lookup` options
 */
export function createPinnedLookup({ hostname, addresses, fallback = dns.lookup }) {
  if (addresses.length === 0) throw new Error(`Pinned lookup requires at least one address for ${hostname}`);
  const rows = addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }));
  const ofFamily = (family) => rows.filter((row) => row.family === family);
  const usual = ofFamily(4).length > 0 ? ofFamily(4) : rows;
  const own = normalizeHostname(hostname);
  let turn = 0;
  return (host, options, callback) => {
    const done = typeof options === 'function' ? options : callback;
    if (!done) return undefined;
    if (normalizeHostname(host) !== own) return typeof options === 'function' || options === undefined ? fallback(host, done) : fallback(host, options, done);
    const wanted = ofFamily(typeof options === 'number' ? options : options?.family);
    const usable = wanted.length > 0 ? wanted : usual;
    if (options?.all) return done(null, usable);
    const { address, family } = usable[turn++ % usable.length];
    return done(null, address, family);
  };
}
