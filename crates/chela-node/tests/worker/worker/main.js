// A tiny worker for the tests of the lane: it speaks the protocol by hand and misbehaves on request.
'use strict';
const fs = require('node:fs');
const net = require('node:net');
const { spawn } = require('node:child_process');

const behaviour = process.env.TEST_BEHAVIOUR ?? '';
const socket = new net.Socket({ fd: 3, readable: true, writable: true });
const pending = new Map();
const serving = new Map();
const signals = new Map();
const streams = new Map();
const readers = new Map();
let nextId = 1;
let loaded = [];

function send(frame) {
  const body = Buffer.from(JSON.stringify(frame));
  const head = Buffer.alloc(4);
  head.writeUInt32BE(body.length);
  return socket.write(Buffer.concat([head, body]));
}

function request(m, p, extra) {
  const id = nextId++;
  send({ t: 'req', id, m, p, ...extra });
  return new Promise((resolve, reject) => pending.set(id, { resolve, reject }));
}

function exactly(size) {
  const buffer = Buffer.alloc(size);
  for (let at = 0; at < size; ) at += fs.readSync(4, buffer, at, size - at, null);
  return buffer;
}

function blocking(m, p) {
  const body = Buffer.from(JSON.stringify({ t: 'req', id: nextId++, m, p }));
  const head = Buffer.alloc(4);
  head.writeUInt32BE(body.length);
  fs.writeSync(4, Buffer.concat([head, body]));
  const answer = JSON.parse(exactly(exactly(4).readUInt32BE(0)).toString());
  if (answer.err) throw Object.assign(new Error(answer.err.message), answer.err);
  return answer.ok;
}

function spin(ms) {
  const until = Date.now() + ms;
  while (Date.now() < until);
}

const leak = [];

// The function with number n is the one that was registered as `names[n - 1]`.
const functions = {
  echo: async (args) => args,
  nothing: async () => undefined,
  nul: async () => null,
  fails: async () => { throw Object.assign(new TypeError('no good'), { code: 'E_BAD' }); },
  hang: () => new Promise(() => {}),
  spin: async ([ms]) => spin(ms ?? 1e9),
  exit: async ([code]) => process.exit(code ?? 3),
  untilCancelled: (args, { cancelled }) => cancelled.then((reason) => { fs.writeFileSync(args[0], String(reason)); }),
  untilAbort: ([signal]) => new Promise((resolve) => signals.set(signal.$signal, resolve)),
  callHost: async ([fn, ...rest]) => request('call', { fn: fn.$fn, args: rest }),
  callHostLater: async ([fn]) => { setTimeout(() => request('call', { fn: fn.$fn, args: [] }).catch((e) => request('host.told', { code: e.code })), 50); },
  askHost: async ([method, params, plugin]) => request(method, params, plugin ? { plugin } : {}),
  cancelHost: async ([method]) => {
    const answer = request(method, {});
    send({ t: 'cancel', id: nextId - 1 });
    return answer.then(() => 'answered', (e) => e.code);
  },
  askBlocking: async ([method, params]) => blocking(method, params),
  stream: async ([count, greedy]) => { streams.set(7, { left: count, greedy }); return { body: { $stream: 7 } }; },
  // Reads a stream of the host to its end, or stops after `most` items.
  readStream: ([stream, most]) => new Promise((resolve) => {
    readers.set(stream.$stream, { items: [], most, resolve });
    send({ t: 'pull', s: stream.$stream, n: 2 });
  }),
  newFunction: async () => ({ made: { $fn: 900 } }),
  env: async ([names]) => names.map((name) => process.env[name] ?? null),
  fork: async ([mark]) => {
    spawn('/bin/sh', ['-c', `setsid sh -c 'setsid sleep 700.${mark} & sleep 700.${mark}' & exec sleep 700.${mark}`], { detached: true, stdio: 'ignore' }).unref();
  },
  leak: async () => { setInterval(() => leak.push(Buffer.alloc(32 * 1024 * 1024, 1)), 10); },
  flood: async () => { for (let i = 0; i < 20000; i++) process.stdout.write(`line ${i}\n`); },
  notes: async () => { for (let i = 0; i < 20000; i++) send({ t: 'note', m: 'log', p: { level: 'info', message: 'n' } }); },
  deaf: async () => { setInterval(() => {}, 1000); socket.pause(); },
  garbage: async () => { socket.write(Buffer.from([0xff, 0xff, 0xff, 0xff])); },
  requests: async () => Promise.all(Array.from({ length: 600 }, () => request('host.slow', {}).then(() => 'ok', (e) => e.code))),
  fault: async () => { send({ t: 'note', m: 'fault', p: { kind: 'unhandledRejection', message: 'lost' } }); },
  woken: async () => woken,
};
const names = Object.keys(functions);
let woken = 0;

const methods = {
  load(p) {
    if (behaviour === 'dieInLoad') { console.error('cannot go on'); process.exit(9); }
    if (behaviour === 'refuse') throw Object.assign(new Error('plugin export missing register/activate'), { data: { phase: 'register' } });
    loaded.push(p);
    // Other numbers in every run: handles must survive that.
    const shift = behaviour.startsWith('shifting') ? 1000 * Number(fs.existsSync(process.env.TEST_MARK)) : 0;
    const registrations = names.map((name, at) => ({ method: 'registerTool', args: [{ name, execute: { $fn: at + 1 + shift } }] }));
    if (behaviour === 'shiftingMore' && shift) registrations.push({ method: 'registerTool', args: [{ name: 'new', execute: { $fn: 1 } }] });
    if (process.env.TEST_MARK) fs.writeFileSync(process.env.TEST_MARK, '');
    return { definition: { id: p.pluginId, shape: 'function' }, registrations, linkReport: { missingExports: [], missingSubpaths: [] }, ms: 1 };
  },
  async call(p, context) {
    const name = p.fn === 900 ? 'echo' : names[(p.fn - 1) % 1000];
    return functions[name](p.args, context);
  },
  async hooks(p) {
    if (p.fns[0]?.fn === 0) {
      woken++;
      return [];
    }
    const outcomes = [];
    for (const [at, { fn }] of p.fns.entries()) {
      if (p.mark !== undefined) fs.writeSync(5, new Uint32Array([p.mark, at + 1]), 0, 8, (p.mark % 64) * 8);
      try {
        const ok = await functions[names[(fn - 1) % 1000]]([p.event, p.ctx], {});
        outcomes.push({ ok, ms: 1 });
      } catch (e) {
        outcomes.push({ err: { name: e.name, message: e.message }, ms: 1 });
      }
    }
    return outcomes;
  },
  unload(p) { loaded = loaded.filter((l) => l.pluginId !== p.pluginId); return null; },
  shutdown() { if (behaviour !== 'stubborn') setTimeout(() => process.exit(0), 5); return null; },
};

async function serve(frame) {
  let cancel;
  const cancelled = new Promise((resolve) => { cancel = resolve; });
  serving.set(frame.id, cancel);
  try {
    const ok = await methods[frame.m](frame.p, { cancelled });
    if (frame.id > 0) send({ t: 'res', id: frame.id, ok });
  } catch (e) {
    send({ t: 'res', id: frame.id, err: { name: e.name, message: e.message, code: e.code, data: e.data } });
  }
  serving.delete(frame.id);
}

function onFrame(frame) {
  if (frame.t === 'req') void serve(frame);
  else if (frame.t === 'ping') send({ t: 'pong', n: frame.n });
  else if (frame.t === 'cancel') serving.get(frame.id)?.(frame.reason);
  else if (frame.t === 'abort') signals.get(frame.sig)?.('aborted');
  else if (frame.t === 'bye') { fs.writeFileSync(process.env.TEST_MARK ?? '/dev/null', frame.reason); process.exit(0); }
  else if (frame.t === 'res') {
    const waiting = pending.get(frame.id);
    pending.delete(frame.id);
    if (frame.err) waiting.reject(Object.assign(new Error(frame.err.message), frame.err));
    else waiting.resolve(frame.ok);
  } else if (frame.t === 'chunk') {
    const reader = readers.get(frame.s);
    reader?.items.push(frame.v);
    if (reader && reader.items.length === reader.most) {
      readers.delete(frame.s);
      send({ t: 'close', s: frame.s });
      reader.resolve(reader.items);
    } else if (reader?.items.length % 2 === 0) send({ t: 'pull', s: frame.s, n: 2 });
  } else if (frame.t === 'end') {
    const reader = readers.get(frame.s);
    reader?.resolve([...reader.items, frame.err ? frame.err.message : 'end']);
  } else if (frame.t === 'close') fs.writeFileSync(process.env.TEST_MARK ?? '/dev/null', `closed ${frame.s}`);
  else if (frame.t === 'note') fs.writeFileSync(process.env.TEST_MARK ?? '/dev/null', JSON.stringify(frame));
  else if (frame.t === 'pull') {
    const stream = streams.get(frame.s);
    const count = stream.greedy ? stream.left : Math.min(frame.n, stream.left);
    for (let i = 0; i < count; i++) send({ t: 'chunk', s: frame.s, v: stream.left-- });
    if (stream.left === 0) { stream.left = -1; send({ t: 'end', s: frame.s }); }
  }
}

let have = Buffer.alloc(0);
socket.on('data', (chunk) => {
  have = Buffer.concat([have, chunk]);
  while (have.length >= 4 && have.length >= 4 + have.readUInt32BE(0)) {
    const size = have.readUInt32BE(0);
    const frame = JSON.parse(have.subarray(4, 4 + size).toString());
    have = have.subarray(4 + size);
    onFrame(frame);
  }
});
socket.on('close', () => process.exit(0));
process.on('SIGTERM', () => { if (behaviour !== 'stubborn') process.exit(0); });

if (behaviour === 'noHello') setInterval(() => {}, 1000);
else if (behaviour === 'notAHello') send({ t: 'ping', n: 1 });
else {
  const version = behaviour === 'liar' ? '9.0' : '1.0';
  send({ t: 'hello', protocol: 'chela-worker', version, features: ['hooks', 'x-unknown'], pid: process.pid, runtime: { name: 'node', version: process.versions.node } });
}
