// Network: connections, names, datagrams, servers. `fetch`, `http`, `https`, `tls` and WebSockets all connect through `net.Socket`.
import dgram from 'node:dgram';
import dns from 'node:dns';
import net from 'node:net';
import { peer } from '../state.js';
import { replace } from './files.js';
import { PermissionDeniedError, denied, refuse, touched } from './report.js';

/** Installs the hooks. */
export function watchNetwork(policy) {
  if (policy.mode === 'observe') return observe();
  if (policy.network === 'any') return;
  const rules = policy.network === 'none' ? [] : policy.network;
  const resolved = new Map();
  guardConnections(rules, resolved);
  guardNames(rules, resolved, policy.asked);
  guardServers(rules);
  replace(dgram, 'createSocket', () => () => {
    throw refuse('network', 'udp');
  });
}

/** What `connect` was called with: a path, or a host and a port. */
function targetOf(args) {
  let options = Array.isArray(args[0]) ? args[0][0] : args[0];
  if (typeof options === 'number' || (typeof options === 'string' && /^\d+$/.test(options))) {
    options = { port: options, host: typeof args[1] === 'string' ? args[1] : undefined };
  } else if (typeof options === 'string') {
    options = { path: options };
  }
  if (options?.path) return { what: `unix:${options.path}`, path: options.path };
  const host = String(options?.host || 'localhost').replace(/^\[|\]$/g, '').replace(/\.$/, '').toLowerCase();
  const port = Number(options?.port);
  return { what: `${net.isIPv6(host) ? `[${host}]` : host}:${port}`, host, port };
}

/** Whether an entry of the list allows a host, at a port when one is given. */
function allows(rule, host, port) {
  const match = /^(\[[^\]]+\]|[^:]+)(?::(\d+))?$/.exec(rule);
  if (!match || rule === 'listen') return false;
  if (match[2] && port !== undefined && Number(match[2]) !== port) return false;
  const name = match[1].replace(/^\[|\]$/g, '');
  return name.startsWith('*.') ? host.length > name.length - 1 && host.endsWith(name.slice(1)) : name === host;
}

function permits(rules, resolved, target) {
  if (target.path) return rules.includes(`unix:${target.path}`);
  if (rules.some((rule) => allows(rule, target.host, target.port))) return true;
  return (resolved.get(target.host) ?? []).some((name) => rules.some((rule) => allows(rule, name, target.port)));
}

function guardConnections(rules, resolved) {
  replace(net.Socket.prototype, 'connect', (run) => function (...args) {
    const target = targetOf(args);
    if (permits(rules, resolved, target)) return run.apply(this, args);
    const error = refuse('network', target.what, { syscall: 'connect', address: target.path ?? target.host, port: target.port });
    this.connecting = true;
    process.nextTick(() => this.destroy(error));
    return this;
  });
}

/** Names are resolved by the host, which then lets their addresses be connected to. */
function guardNames(rules, resolved, asked) {
  const ask = async (host, ordinary) => {
    const name = String(host).replace(/\.$/, '').toLowerCase();
    if (!rules.some((rule) => allows(rule, name))) throw refuse('network', name, { syscall: 'getaddrinfo', hostname: host });
    const rows = asked ? await peer.request('sandbox.resolve', { host: name }).catch((error) => failLookup(error, host)) : await ordinary();
    for (const { address } of rows) {
      const names = resolved.get(address) ?? [];
      if (!names.includes(name)) resolved.set(address, [...names, name]);
    }
    return rows;
  };
  const original = dns.promises.lookup;
  const lookup = async (host, options = {}) => {
    const given = typeof options === 'number' ? { family: options } : (options ?? {});
    if (!host || net.isIP(host)) return original(host, options);
    const rows = await ask(host, () => original(host, { ...given, all: true }));
    const family = given.family === 'IPv4' ? 4 : given.family === 'IPv6' ? 6 : given.family || 0;
    const fit = family ? rows.filter((row) => row.family === family) : rows;
    if (fit.length === 0) throw Object.assign(new Error(`getaddrinfo ENOTFOUND ${host}`), { code: 'ENOTFOUND', syscall: 'getaddrinfo', hostname: host });
    return given.all ? fit : fit[0];
  };
  replace(dns.promises, 'lookup', () => lookup);
  replace(dns, 'lookup', () => (host, options, done) => {
    const callback = typeof options === 'function' ? options : done;
    const given = typeof options === 'function' ? {} : options;
    lookup(host, given).then(
      (found) => process.nextTick(callback, null, ...(Array.isArray(found) ? [found] : [found.address, found.family])),
      (error) => process.nextTick(callback, error),
    );
  });
  for (const owner of [dns, dns.promises]) {
    for (const name of Object.keys(owner).filter((key) => /^(resolve|reverse)/.test(key))) {
      replace(owner, name, () => (host, ...rest) => {
        const error = refuse('network', `dns:${host}`, { hostname: host });
        if (owner === dns.promises) return Promise.reject(error);
        return void process.nextTick(rest.at(-1), error);
      });
    }
  }
}

function failLookup(error, hostname) {
  if (error.code === 'EACCES') {
    denied('network', hostname);
    throw new PermissionDeniedError('network', hostname, { syscall: 'getaddrinfo', hostname });
  }
  throw Object.assign(error, { syscall: 'getaddrinfo', hostname });
}

function guardServers(rules) {
  if (rules.includes('listen')) return;
  replace(net.Server.prototype, 'listen', () => function () {
    const error = refuse('network', 'listen', { syscall: 'listen' });
    process.nextTick(() => this.emit('error', error));
    return this;
  });
}

function observe() {
  replace(net.Socket.prototype, 'connect', (run) => function (...args) {
    touched('network', targetOf(args).what);
    return run.apply(this, args);
  });
  replace(net.Server.prototype, 'listen', (run) => function (...args) {
    touched('network', 'listen');
    return run.apply(this, args);
  });
  replace(dgram, 'createSocket', (run) => (...args) => {
    touched('network', 'udp');
    return run(...args);
  });
}
