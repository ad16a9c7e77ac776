// A host in JavaScript that speaks the worker protocol, so that the worker can be tested by itself.
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import module from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const SDK = fileURLToPath(new URL('..', import.meta.url));
/** Directory of the fixture plugins. */
export const FIXTURES = fileURLToPath(new URL('../../../fixtures/plugins/', import.meta.url));

function pack(frame) {
  const body = Buffer.from(JSON.stringify(frame));
  const head = Buffer.alloc(4);
  head.writeUInt32BE(body.length);
  return Buffer.concat([head, body]);
}

function unpack(stream, onFrame) {
  let buffer = Buffer.alloc(0);
  stream.on('data', (chunk) => {
    buffer = buffer.length ? Buffer.concat([buffer, chunk]) : chunk;
    while (buffer.length >= 4) {
      const size = buffer.readUInt32BE(0);
      if (buffer.length < 4 + size) return;
      const frame = JSON.parse(buffer.subarray(4, 4 + size).toString('utf8'));
      buffer = buffer.subarray(4 + size);
      onFrame(frame);
    }
  });
}

/** Compiles TypeScript the way the host would. */
function transpile(file) {
  const source = fs.readFileSync(file, 'utf8');
  return { code: module.stripTypeScriptTypes(source, { mode: 'transform' }) };
}

export class FakeHost {
  #next = 1;
  #pending = new Map();
  #waiters = [];
  notes = [];
  frames = [];
  stdout = '';
  stderr = '';
  /** Answers to `host.*` requests on either lane: name -> (params) => value. */
  host = { transpile: ({ path: file }) => transpile(file) };
  /** Functions that the host lends to the worker, by number. */
  fns = new Map();

  constructor({ env = {}, keepStdout = true } = {}) {
    this.started = performance.now();
    this.child = spawn(process.execPath, ['--no-warnings', path.join(SDK, 'worker/main.js')], {
      stdio: ['ignore', 'pipe', 'pipe', 'pipe', 'pipe'],
      env: { ...process.env, CHELA_WORKER: '1', ...env },
    });
    this.main = this.child.stdio[3];
    this.blocking = this.child.stdio[4];
    unpack(this.main, (frame) => this.#receive(frame));
    unpack(this.blocking, (frame) => this.#serve(frame, this.blocking));
    for (const stream of [this.main, this.blocking]) stream.on('error', () => {});
    this.child.stdout.on('data', (text) => keepStdout && (this.stdout += text));
    this.child.stderr.on('data', (text) => (this.stderr += text));
    this.exit = new Promise((resolve) => this.child.on('exit', (code, signal) => {
      for (const { reject } of this.#pending.values()) reject(new Error(`worker ended (${code ?? signal}): ${this.stderr}`));
      resolve({ code, signal });
    }));
    this.hello = this.waitFor((frame) => frame.t === 'hello').then((frame) => {
      this.helloMs = performance.now() - this.started;
      this.send({ t: 'hello', protocol: 'chela-worker', version: '1.2', features: [] });
      return frame;
    });
  }

  send(frame) {
    this.main.write(pack(frame));
  }

  waitFor(test, limitMs = 10000) {
    const seen = this.frames.find(test);
    if (seen) return Promise.resolve(seen);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`no such frame; stderr: ${this.stderr}`)), limitMs);
      this.#waiters.push({ test, resolve: (frame) => (clearTimeout(timer), resolve(frame)) });
    });
  }

  waitForNote(method, test = () => true) {
    return this.waitFor((frame) => frame.t === 'note' && frame.m === method && test(frame.p)).then((frame) => frame.p);
  }

  request(m, p) {
    const id = this.#next++;
    this.lastId = id;
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { resolve, reject });
      this.send({ t: 'req', id, m, p });
    });
  }

  load(rootDir, entry = 'index.js', extra = {}) {
    const manifest = readJson(path.join(rootDir, 'openclaw.plugin.json')) ?? {};
    return this.request('load', {
      pluginId: manifest.id ?? path.basename(rootDir), name: manifest.name, version: manifest.version, kind: manifest.kind,
      description: manifest.description, rootDir, entry, registrationMode: 'full', config: {}, pluginConfig: {}, workspaceDir: '/tmp',
      stateDir: '/tmp', hostVersion: '2026.6.11', sdkDir: SDK, permissions: {}, env: {}, ...extra,
    });
  }

  call(fn, args, extra = {}) {
    return this.request('call', { fn, args, ...extra });
  }

  #receive(frame) {
    this.frames.push(frame);
    if (frame.t === 'res') {
      const waiting = this.#pending.get(frame.id);
      this.#pending.delete(frame.id);
      if (frame.err) waiting?.reject(Object.assign(new Error(frame.err.message), { wire: frame.err }));
      else waiting?.resolve(frame.ok);
    }
    if (frame.t === 'req') this.#serve(frame, this.main);
    if (frame.t === 'note') this.notes.push(frame);
    for (const waiter of this.#waiters.filter((w) => w.test(frame))) {
      this.#waiters.splice(this.#waiters.indexOf(waiter), 1);
      waiter.resolve(frame);
    }
  }

  async #serve(frame, stream) {
    let answer;
    try {
      const run = frame.m === 'call' ? this.fns.get(frame.p.fn) : this.host[frame.m];
      if (!run) throw Object.assign(new Error(`\`${frame.m}\` is not built`), { code: 'NOT_BUILT' });
      const ok = await (frame.m === 'call' ? run(...frame.p.args) : run(frame.p));
      answer = { t: 'res', id: frame.id, ok: ok ?? null };
    } catch (error) {
      answer = { t: 'res', id: frame.id, err: { name: error.name, message: error.message, code: error.code } };
    }
    stream.write(pack(answer));
  }

  async stop() {
    this.main.destroy();
    this.blocking.destroy();
    const timer = setTimeout(() => this.child.kill('SIGKILL'), 2000);
    await this.exit;
    clearTimeout(timer);
  }
}

export function readJson(file) {
  try {
    return JSON.parse(fs.readFileSync(file, 'utf8'));
  } catch {
    return undefined;
  }
}

/** Rows of one registration method. */
export function rows(loaded, method) {
  return loaded.registrations.filter((row) => row.method === method);
}
