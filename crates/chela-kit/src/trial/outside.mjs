// Stands in for the world outside in a trial: every connection that the plugin's process makes to another host, or to a port of this
// machine on which nothing of the plugin listens, ends at the server below. It answers by the rules of the script.
import { appendFileSync, readFileSync } from 'node:fs';
import http from 'node:http';
import { createRequire, syncBuiltinESMExports } from 'node:module';

const require = createRequire(import.meta.url);
const net = require('node:net');
const tls = require('node:tls');
const dns = require('node:dns');

const { rules, log } = JSON.parse(readFileSync(new URL('./outside.json', import.meta.url), 'utf8'));
/** What every name of the outside resolves to: a public address, since guards against private ones look at it. */
const ADDRESS = '93.184.215.14';
/** Longest body that is kept of a request, in bytes. */
const MOST_BODY = 1 << 20;

const realConnect = net.Socket.prototype.connect;
const realListen = net.Server.prototype.listen;
/** Ports on which others listened before the plugin was there. */
const foreign = listening();
let port = 0;

/** The TCP ports of this machine on which somebody listens. */
function listening() {
  const ports = new Set();
  for (const file of ['/proc/net/tcp', '/proc/net/tcp6']) {
    try {
      for (const line of readFileSync(file, 'utf8').split('\n').slice(1)) {
        const [, local, , state] = line.trim().split(/\s+/);
        if (state === '0A') ports.add(Number.parseInt(local.split(':').pop(), 16));
      }
    } catch {
      // Another system: then nothing counts as the plugin's own.
    }
  }
  return ports;
}

const isLocal = (host) => !host || host === 'localhost' || host === '::1' || host === '0.0.0.0' || /^127\./.test(host);

/** Whether the plugin itself, or a program that it started, listens there. */
function isOwn(host, target) {
  return isLocal(host) && (target === port || (!foreign.has(target) && listening().has(target)));
}

net.Socket.prototype.connect = function connect(...args) {
  // Node's own modules hand over what they have read already, as one array.
  const given = Array.isArray(args[0]) ? args[0] : args;
  const [first, second] = given;
  const callback = given.findLast((value) => typeof value === 'function');
  const options = typeof first === 'object' && first !== null ? first : { port: first, host: typeof second === 'string' ? second : undefined };
  const isPath = typeof options.path === 'string' || (typeof first === 'string' && Number.isNaN(Number(first)));
  if (isPath || isOwn(options.host, Number(options.port))) return realConnect.apply(this, args);
  const { lookup, ...rest } = options;
  const target = { ...rest, host: '127.0.0.1', port, family: 4, autoSelectFamily: false, localAddress: undefined };
  return realConnect.call(this, target, ...(callback ? [callback] : []));
};

/** A connection that is called encrypted and is not: it never leaves this machine. */
tls.connect = function connect(...args) {
  const callback = args.findLast((value) => typeof value === 'function');
  const [first, second] = args;
  const options = typeof first === 'object' ? first : { port: first, host: typeof second === 'string' ? second : undefined };
  const socket = options.socket ?? net.connect({ host: options.host ?? options.servername ?? 'outside.invalid', port: options.port ?? 443 });
  Object.assign(socket, { encrypted: true, authorized: true, alpnProtocol: false });
  socket.getPeerCertificate = () => ({ subject: {}, issuer: {} });
  socket.getSession = () => undefined;
  socket.isSessionReused = () => false;
  socket.setServername = () => {};
  if (callback) socket.once('secureConnect', callback);
  if (socket.connecting) socket.once('connect', () => socket.emit('secureConnect'));
  else process.nextTick(() => socket.emit('secureConnect'));
  return socket;
};

const isName = (host) => typeof host === 'string' && !net.isIP(host) && !isLocal(host);
const realLookup = dns.lookup;
dns.lookup = (host, options, callback = options) => {
  if (!isName(host)) return realLookup(host, options, callback);
  const all = typeof options === 'object' && options?.all;
  process.nextTick(() => (all ? callback(null, [{ address: ADDRESS, family: 4 }]) : callback(null, ADDRESS, 4)));
};
const realPromised = dns.promises.lookup;
dns.promises.lookup = async (host, options) => {
  if (!isName(host)) return realPromised(host, options);
  return options?.all ? [{ address: ADDRESS, family: 4 }] : { address: ADDRESS, family: 4 };
};
syncBuiltinESMExports();

/** The first rule for a request; `url` of a rule is a part of `host/path?query`, or a pattern between slashes. */
function rule(method, url, body) {
  const fits = (wanted, text) => (/^\/.*\/$/.test(wanted) ? new RegExp(wanted.slice(1, -1)).test(text) : text.includes(wanted));
  return rules.find(
    (one) => (!one.method || one.method.toUpperCase() === method) && fits(one.url ?? '', url) && (!one.body || fits(one.body, body)),
  );
}

/** `{$repeat: 3, of: 0}` stands for `[0, 0, 0]`: vectors are long. */
function filled(value) {
  if (value === null || typeof value !== 'object') return value;
  if (Array.isArray(value)) return value.map(filled);
  if (typeof value.$repeat === 'number') return Array.from({ length: Math.min(value.$repeat, 100_000) }, () => filled(value.of));
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, filled(member)]));
}

const server = http.createServer((request, response) => {
  let body = '';
  request.setEncoding('utf8').on('data', (part) => {
    if (body.length < MOST_BODY) body += part;
  });
  request.on('end', () => {
    const url = `${request.headers.host ?? ''}${request.url}`;
    const answer = rule(request.method, url, body);
    const status = answer ? (answer.status ?? 200) : 503;
    const text = answer?.text ?? JSON.stringify(answer ? filled(answer.json ?? {}) : { error: 'a trial has no such service' });
    note({ method: request.method, url, status, known: answer !== undefined });
    const type = answer?.text === undefined ? 'application/json' : 'text/plain; charset=utf-8';
    response.writeHead(status, { 'content-type': type, ...answer?.headers });
    response.end(request.method === 'HEAD' ? undefined : text);
  });
});
server.on('upgrade', (request, socket) => {
  note({ method: 'UPGRADE', url: `${request.headers.host ?? ''}${request.url}`, status: 503, known: false });
  socket.end('HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\ncontent-length: 0\r\n\r\n');
});
server.on('connect', (request, socket) => {
  note({ method: 'CONNECT', url: request.url, status: 503, known: false });
  socket.end('HTTP/1.1 503 Service Unavailable\r\n\r\n');
});
server.on('clientError', (_, socket) => socket.destroy());

function note(row) {
  appendFileSync(log, `${JSON.stringify(row)}\n`);
}

await new Promise((resolve) => realListen.call(server, 0, '127.0.0.1', resolve));
port = server.address().port;
server.unref();
