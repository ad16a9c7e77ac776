// The worker against a host in JavaScript: greeting, loading, calls, hooks, values, faults.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import test from 'node:test';
import { FIXTURES, FakeHost, rows } from './fake-host.mjs';

function plugin(files, id = 'probe') {
  const root = fs.mkdtempSync(path.join(os.tmpdir(), 'chela-plugin-'));
  const all = { 'openclaw.plugin.json': JSON.stringify({ id }), 'package.json': '{"type":"module"}', ...files };
  for (const [name, text] of Object.entries(all)) {
    fs.mkdirSync(path.dirname(path.join(root, name)), { recursive: true });
    fs.writeFileSync(path.join(root, name), text);
  }
  return root;
}

async function withHost(run, options) {
  const host = new FakeHost(options);
  try {
    await host.hello;
    return await run(host);
  } finally {
    await host.stop();
  }
}

const loadSource = (host, source, extra) => host.load(plugin({ 'index.js': source }), 'index.js', extra);

test('the worker greets first, with its protocol version', () =>
  withHost(async (host) => {
    const hello = await host.hello;
    assert.equal(host.frames[0].t, 'hello');
    assert.equal(hello.version, '1.2');
    assert.equal(hello.runtime.name, 'node');
    assert.equal(hello.pid, host.child.pid);
  }));

test('a worker can be made to lie about its version', () =>
  withHost(async (host) => assert.equal((await host.hello).version, '9.0'), { env: { CHELA_TEST_PROTOCOL_VERSION: '9.0' } }));

test('it ends by itself with code 0 when the host goes away', async () => {
  const host = new FakeHost();
  await host.hello;
  host.main.destroy();
  assert.deepEqual(await host.exit, { code: 0, signal: null });
});

test('shutdown answers, then ends with code 0', async () => {
  const host = new FakeHost();
  await host.hello;
  await host.request('shutdown', { graceMs: 100 });
  assert.equal((await host.exit).code, 0);
});

test('a ping is answered', () =>
  withHost(async (host) => {
    host.send({ t: 'ping', n: 7 });
    assert.equal((await host.waitFor((frame) => frame.t === 'pong')).n, 7);
  }));

test('unknown frames and members are ignored', () =>
  withHost(async (host) => {
    host.send({ t: 'something', x: 1 });
    const loaded = await loadSource(host, 'export default () => {}', { later: true });
    assert.equal(loaded.definition.shape, 'function');
  }));

test('a tool runs with its parameters and its configuration', () => // API-107
  withHost(async (host) => {
    const loaded = await host.load(`${FIXTURES}hello-tool`, 'index.js', { pluginConfig: { greeting: 'Hi' } });
    const [row] = rows(loaded, 'registerTool');
    assert.equal(row.site, 'index.js:9');
    const result = await host.call(row.args[0].execute.$fn, ['call-1', { name: 'Ada' }], { adapter: 'tool' });
    assert.deepEqual(result, { content: [{ type: 'text', text: 'Hi, Ada!' }], details: { toolCallId: 'call-1' } });
  }));

const ENTRIES = [
  ['a function', 'export default (api) => api.on("session_start", () => {})'],
  ['an object with register', 'export default { register: (api) => api.on("session_start", () => {}) }'],
  ['activate instead of register', 'export default { activate: (api) => api.on("session_start", () => {}) }'],
  ['a default inside a default', 'export default { default: { register: (api) => api.on("session_start", () => {}) } }'],
  ['a module wrapper', 'export const module = { register: (api) => api.on("session_start", () => {}) }'],
  ['a named register', 'export const register = (api) => api.on("session_start", () => {})'],
];
for (const [what, source] of ENTRIES) {
  test(`an entry may export ${what}`, () => // API-001, API-003
    withHost(async (host) => assert.equal(rows(await loadSource(host, source), 'on').length, 1)));
}

test('what a module exports is shown on request', () => // INS-329
  withHost(async (host) => {
    const exports = Array.from({ length: 9 }, (_, n) => `export const k${n} = ${n};`).join('');
    const error = await loadSource(host, `${exports} export default { id: "probe", module: null }`).catch((reason) => reason);
    assert.equal(error.message, 'plugin export missing register/activate (module shape: export:object keys=default,k0,k1,k2,k3,k4,k5,k6,+2; '
      + 'export.default:object keys=id,module; export.default.module:null)');
  }, { env: { OPENCLAW_PLUGIN_LOAD_DEBUG: '1' } }));

const FAILURES = [
  ['nothing callable', 'export default { id: "probe" }', 'validation', 'plugin export missing register/activate'], // API-004, INS-329
  ['another id', 'export default { id: "other", register() {} }', 'validation', 'plugin id mismatch (config uses "probe", export uses "other")'], // API-005
  ['an asynchronous register', 'export default { async register() { throw new Error("late") } }', 'register', 'plugin register must be synchronous'], // API-008, INS-330
  ['a throwing register', 'export default () => { throw new TypeError("no") }', 'register', 'no'], // API-009
  ['a broken module', 'export default (', 'load', /Unexpected|missing/],
  ['a hook without a name', 'export default (api) => api.registerHook("command", () => {}, {})', 'register', 'hook registration missing name'], // API-037
  ['memory without the kind', 'export default (api) => api.registerMemoryRuntime({})', 'register', /only memory plugins/], // API-086
];
test('what an asynchronous register registers counts, and the host is told', () => // API-008
  withHost(async (host) => {
    const source = `export default { async register(api) { await new Promise((done) => setTimeout(done, 20)); api.registerService({ id: 'later', start() {} }); } }`;
    const { registrations } = await loadSource(host, source);
    assert.deepEqual(registrations.map((one) => one.method), ['registerService', 'asyncRegister']);
  }));

for (const [what, source, phase, message] of FAILURES) {
  test(`a load with ${what} fails in phase ${phase}`, () =>
    withHost(async (host) => {
      const error = await loadSource(host, source).then(() => assert.fail('loaded'), (reason) => reason);
      assert.equal(error.wire.data.phase, phase);
      if (typeof message === 'string') assert.equal(error.message, message);
      else assert.match(error.message, message);
    }));
}

test('a memory plugin may register memory', () => // API-083..API-086
  withHost(async (host) => {
    const source = `export default { kind: 'memory', register(api) {
      api.registerMemoryCapability({}); api.registerMemoryPromptSection(() => []); api.registerMemoryFlushPlan(() => null); api.registerMemoryRuntime({}); } }`;
    assert.equal((await loadSource(host, source)).registrations.length, 4);
  }));

test('the definition is described, and its parts are registered in full mode only', () => // API-002, API-006, API-020
  withHost(async (host) => {
    const source = `export default { id: 'probe', name: 'N', version: '2', description: 'D', kind: 'memory', reload: { restartPrefixes: ['x'] },
      nodeHostCommands: [{ command: 'c', handle() {} }], securityAuditCollectors: [() => []], register() {} }`;
    const full = await loadSource(host, source);
    assert.deepEqual(full.definition, { shape: 'object', id: 'probe', name: 'N', version: '2', description: 'D', kind: 'memory' });
    assert.deepEqual(full.registrations.map((row) => row.method), ['registerReload', 'registerNodeHostCommand', 'registerSecurityAuditCollector']);
    assert.deepEqual((await loadSource(host, source, { registrationMode: 'discovery' })).registrations, []);
  }));

const ALL = ['registerTool', 'registerCli', 'registerChannel', 'on', 'registerHttpRoute', 'registerGatewayMethod'];
const SETUP = ['registerCli', 'registerChannel', 'registerConfigMigration', 'registerAutoEnableProbe'];
const MODES = [['full', ALL], ['discovery', ALL], ['tool-discovery', ALL], ['setup-only', SETUP], ['setup-runtime', SETUP], ['cli-metadata', ['registerCli']]];
for (const [mode, expected] of MODES) {
  test(`registration mode ${mode} lets through what it should`, () => // API-022, API-024, API-025, API-028, API-056, API-057, API-243, API-255, RT-007
    withHost(async (host) => {
      const source = `export default (api) => {
        api.registerTool({ name: 't', execute() {} }); api.registerCli(() => {}, { commands: ['x'] });
        api.registerChannel({ plugin: { id: 'c' } }); api.on('session_start', () => {});
        api.registerHttpRoute({ path: '/x', auth: 'plugin', handler() {} }); api.registerGatewayMethod('m', () => {});
        api.registerConfigMigration(() => null); api.registerAutoEnableProbe(() => null);
        if (api.registrationMode === 'cli-metadata' && Object.keys(api.runtime).length) throw new Error('runtime is not empty'); }`;
      assert.deepEqual((await loadSource(host, source, { registrationMode: mode })).registrations.map((row) => row.method), expected);
    }));
}

test('the api has its fields, groups and methods, and reads as undefined elsewhere', () => // API-030, API-033, API-034, API-035
  withHost(async (host) => {
    const source = `export default (api) => {
      const flat = Object.keys(api).filter((key) => typeof api[key] === 'function');
      const same = api.session.state.registerSessionExtension === api.registerSessionExtension && api.lifecycle.registerRuntimeLifecycle === api.registerRuntimeLifecycle
        && api.session.workflow.enqueueNextTurnInjection === api.enqueueNextTurnInjection && api.agent.events.emitAgentEvent === api.emitAgentEvent
        && api.session.controls.registerSessionAction === api.registerSessionAction && api.runContext.setRunContext === api.setRunContext;
      api.logger.info(JSON.stringify({ flat, same, nothing: api.noSuchMember === undefined, id: api.id, mode: api.registrationMode, root: api.rootDir }));
    }`;
    const root = plugin({ 'index.js': source });
    await host.load(root);
    const { message, pluginId } = await host.waitForNote('log');
    const seen = JSON.parse(message);
    assert.equal(pluginId, 'probe'); // API-251
    assert.equal(seen.flat.filter((name) => name.startsWith('register')).length >= 53, true);
    for (const name of ['on', 'onConversationBindingResolved', 'resolvePath', 'enqueueNextTurnInjection', 'scheduleSessionTurn']) assert.ok(seen.flat.includes(name), name);
    assert.deepEqual([seen.same, seen.nothing, seen.id, seen.mode, seen.root], [true, true, 'probe', 'full', root]);
  }));

test('resolvePath follows user-path rules', () => // API-032
  withHost(async (host) => {
    const source = `export default (api) => api.registerService({ id: 's', start: () => ['a/b', '/x/../y', '~/z', ''].map((p) => api.resolvePath(p)) })`;
    const root = plugin({ 'index.js': source });
    const [row] = rows(await host.load(root), 'registerService');
    const paths = await host.call(row.args[0].start.$fn, []);
    assert.deepEqual(paths, [path.join(root, 'a/b'), '/y', path.join(process.env.OPENCLAW_HOME ?? os.homedir(), 'z'), '']);
  }));

test('a late registration has no effect and is reported once', () => // API-010, API-242
  withHost(async (host) => {
    const source = `export default (api) => { api.registerService({ id: 's', start() { api.on('session_end', () => {}); api.on('session_end', () => {}); return api.registerTool({}) ?? 'nothing'; } }) }`;
    const [row] = rows(await loadSource(host, source), 'registerService');
    assert.equal(await host.call(row.args[0].start.$fn, []), 'nothing');
    await host.waitForNote('diag', (note) => note.method === 'registerTool');
    assert.deepEqual(host.notes.filter((note) => note.m === 'diag').map((note) => [note.p.level, note.p.method]), [['warn', 'on'], ['warn', 'registerTool']]);
  }));

test('the late-callable members work after register', () => // API-011, API-013, API-244, API-245
  withHost(async (host) => {
    host.host['host.session.enqueueNextTurnInjection'] = ({ text }) => ({ enqueued: true, id: text, sessionKey: 'k' });
    host.host['host.runContext.get'] = ({ namespace, pluginId }) => `${pluginId}/${namespace}`;
    host.host['host.agentEvent.emit'] = ({ stream }) => ({ emitted: true, stream });
    const source = `export default (api) => { api.registerService({ id: 's', async start() {
      return [await api.enqueueNextTurnInjection({ sessionKey: 'k', text: 'hi' }), api.getRunContext({ runId: 'r', namespace: 'n' }), api.emitAgentEvent({ runId: 'r', stream: 'probe', data: {} })]; } }) }`;
    const [row] = rows(await loadSource(host, source), 'registerService');
    assert.deepEqual(await host.call(row.args[0].start.$fn, []), [{ enqueued: true, id: 'hi', sessionKey: 'k' }, 'probe/n', { emitted: true, stream: 'probe' }]);
  }));

test('a scheduler job returns its handle at once', () => // API-080
  withHost(async (host) => {
    const source = `export default (api) => { const job = { id: 'j', sessionKey: 's', kind: 'k' };
      api.logger.info(JSON.stringify([api.registerSessionSchedulerJob(job), api.registerSessionSchedulerJob(job) ?? null, api.registerSessionSchedulerJob({ id: 'x' }) ?? null])); }`;
    await loadSource(host, source);
    const { message } = await host.waitForNote('log');
    assert.deepEqual(JSON.parse(message), [{ id: 'j', pluginId: 'probe', sessionKey: 's', kind: 'k' }, null, null]);
  }));

test('values survive the way to the plugin and back', () =>
  withHost(async (host) => {
    const [row] = rows(await loadSource(host, 'export default (api) => api.registerService({ id: "s", start: (value) => value })'), 'registerService');
    const values = [
      1, 'x', null, true, { $date: '2026-01-02T03:04:05.000Z' }, { $bytes: 'AAEC' }, { $map: [['a', { $set: [1, 2] }]] }, { $bigint: '12345678901234567890' },
      { $regexp: ['a+', 'gi'] }, { $num: 'NaN' }, { $num: '-Infinity' }, [1, { $undefined: true }, 2], { $obj: [['$fn', 3]] }, { a: { b: [{ c: 1 }] } },
    ];
    for (const value of values) assert.deepEqual(await host.call(row.args[0].start.$fn, [value]), value);
    const error = await host.call(row.args[0].start.$fn, [{ $error: { name: 'RangeError', message: 'm', code: 'C' } }]);
    assert.deepEqual([error.$error.name, error.$error.message, error.$error.code], ['RangeError', 'm', 'C']);
  }));

test('instances, cycles and bound methods are encoded', () =>
  withHost(async (host) => {
    const source = `class Base { greet() { return 'hello ' + this.who; } get size() { return 3; } }
      class Thing extends Base { who = 'you'; self = this; }
      export default (api) => api.registerProvider(new Thing())`;
    const [row] = rows(await loadSource(host, source), 'registerProvider');
    const [thing] = row.args;
    assert.deepEqual([thing.who, thing.size, 'self' in thing], ['you', 3, false]);
    assert.equal(await host.call(thing.greet.$fn, []), 'hello you');
  }));

test('functions, signals and streams of the host work in the plugin', () =>
  withHost(async (host) => {
    const source = `export default (api) => api.registerService({ id: 's',
      start: async (fn, stream) => { const out = []; for await (const item of stream) out.push(await fn(item)); return out; },
      stop: (signal) => new Promise((resolve) => signal.addEventListener('abort', () => resolve(signal.reason.message))) })`;
    const [row] = rows(await loadSource(host, source), 'registerService');
    host.fns.set(5, (n) => n * 2);
    const result = host.call(row.args[0].start.$fn, [{ $fn: 5 }, { $stream: 9 }], { scoped: true });
    await host.waitFor((frame) => frame.t === 'pull' && frame.s === 9);
    for (const v of [1, 2, 3]) host.send({ t: 'chunk', s: 9, v });
    host.send({ t: 'end', s: 9 });
    assert.deepEqual(await result, [2, 4, 6]);
    assert.deepEqual((await host.waitFor((frame) => frame.t === 'release')).fns, [5]);
    const stopped = host.call(row.args[0].stop.$fn, [{ $signal: 4 }]);
    host.send({ t: 'abort', sig: 4, reason: 'enough' });
    assert.equal(await stopped, 'enough');
  }));

test('a stream of the plugin sends only what was asked for', () =>
  withHost(async (host) => {
    const source = 'export default (api) => api.registerService({ id: "s", start: async function* () { for (let i = 0; i < 9; i++) yield i; } })';
    const [row] = rows(await loadSource(host, source), 'registerService');
    const { $stream } = await host.call(row.args[0].start.$fn, []);
    const chunks = () => host.frames.filter((frame) => frame.t === 'chunk' && frame.s === $stream).map((frame) => frame.v);
    host.send({ t: 'pull', s: $stream, n: 2 });
    await host.waitFor(() => chunks().length === 2);
    host.send({ t: 'ping', n: 1 });
    await host.waitFor((frame) => frame.t === 'pong');
    assert.deepEqual(chunks(), [0, 1]);
    host.send({ t: 'pull', s: $stream, n: 100 });
    await host.waitFor((frame) => frame.t === 'end' && frame.s === $stream);
    assert.equal(chunks().length, 9);
  }));

test('cancelling a call fires the signal of a tool', () =>
  withHost(async (host) => {
    const loaded = await host.load(`${FIXTURES}fault-hang`, 'index.js', { pluginConfig: { obey: true } });
    const [row] = rows(loaded, 'registerTool');
    const running = host.call(row.args[0].execute.$fn, ['c', {}], { adapter: 'tool' });
    host.send({ t: 'cancel', id: host.lastId, reason: 'stop it' });
    await assert.rejects(running, /stop it/);
  }));

test('a sync host function blocks until its answer', () =>
  withHost(async (host) => {
    const [row] = rows(await loadSource(host, 'export default (api) => api.registerService({ id: "s", start: (fn) => [fn(20), fn(1)] })'), 'registerService');
    host.fns.set(3, (n) => n + 1);
    assert.deepEqual(await host.call(row.args[0].start.$fn, [{ $fn: 3, sync: true }]), [21, 2]);
  }));

test('what the host has not built is refused by name', () =>
  withHost(async (host) => {
    const source = `export default (api) => api.registerService({ id: 's', start: async () => {
      const errors = []; try { api.runtime.agent.resolveAgentDir({}, 'main'); } catch (error) { errors.push(error.code + ' ' + error.message); }
      await api.runtime.tts.textToSpeech({}).catch((error) => errors.push(error.code + ' ' + error.message)); return [errors, Object.keys(api.runtime).length]; } })`;
    const [row] = rows(await loadSource(host, source), 'registerService');
    const [errors, members] = await host.call(row.args[0].start.$fn, []);
    assert.deepEqual(errors, ['NOT_BUILT `host.agent.resolveAgentDir` is not built', 'NOT_BUILT `host.tts.textToSpeech` is not built']);
    assert.equal(members, 22); // RT-001, RT-147
  }));

test('an unhandled rejection is reported and the worker lives on', () =>
  withHost(async (host) => {
    await host.load(`${FIXTURES}fault-reject`);
    const fault = await host.waitForNote('fault');
    assert.deepEqual([fault.kind, fault.message, fault.pluginId], ['unhandledRejection', 'fault-reject: nobody handles this', 'fault-reject']);
    host.send({ t: 'ping', n: 1 });
    await host.waitFor((frame) => frame.t === 'pong');
  }));

test('an uncaught exception is reported and ends the worker with code 70', async () => {
  const host = new FakeHost();
  await host.hello;
  await host.load(`${FIXTURES}fault-throw`, 'index.js', { pluginConfig: { where: 'timer' } });
  assert.equal((await host.exit).code, 70);
  const fault = await host.waitForNote('fault');
  assert.deepEqual([fault.kind, fault.message], ['uncaughtException', 'fault-throw: thrown in a timer']);
  assert.match(fault.stack, /index\.js/);
});

test('a flood of log lines does not fill the memory, and the worker keeps answering', () =>
  withHost(async (host) => {
    const loaded = await host.load(`${FIXTURES}fault-flood`, 'index.js', { pluginConfig: { lines: 20000, turns: 5 } });
    await host.request('hooks', { hook: 'message_received', fns: [{ fn: rows(loaded, 'on')[0].args[1].$fn }], event: {}, ctx: {}, mode: 'par' });
    host.main.pause();
    await new Promise((resolve) => setTimeout(resolve, 400));
    const resident = Number(/VmRSS:\s+(\d+)/.exec(fs.readFileSync(`/proc/${host.child.pid}/status`, 'utf8'))[1]);
    host.main.resume();
    host.send({ t: 'ping', n: 3 });
    await host.waitFor((frame) => frame.t === 'pong' && frame.n === 3, 20000);
    assert.ok(resident < 400_000, `${resident} kB`);
  }, { keepStdout: false }));

test('the kind of the manifest counts when the module names none, and the exported one wins', () => // API-007, API-083..API-086
  withHost(async (host) => {
    const source = 'export default (api) => api.registerMemoryRuntime({})';
    const loaded = await loadSource(host, source, { kind: ['memory'] });
    assert.equal(rows(loaded, 'registerMemoryRuntime').length, 1);
    const other = "export default { kind: 'context-engine', register: (api) => api.registerMemoryRuntime({}) }";
    await assert.rejects(loadSource(host, other, { kind: ['memory'], pluginId: 'other' }), /only memory plugins/);
  }));

test('each plugin of a group has its variables and its events', () =>
  withHost(async (host) => {
    const source = `export default (api) => {
      api.logger.info(String(process.env.OWN_TOKEN));
      api.runtime.events.onAgentEvent((event) => api.logger.info(api.id + ' ' + event.n));
    }`;
    const said = () => host.notes.filter((note) => note.m === 'log').map((note) => note.p.message);
    await loadSource(host, source, { pluginId: 'one', env: { OWN_TOKEN: 'first' } });
    await loadSource(host, source, { pluginId: 'two', env: { OWN_TOKEN: 'second' } });
    const conflict = await host.waitForNote('diag', (note) => note.code === 'env_conflict');
    assert.deepEqual([conflict.pluginId, conflict.method], ['two', 'OWN_TOKEN']);
    for (const pluginId of ['one', 'two']) await host.waitForNote('subscribe', (note) => note.pluginId === pluginId);
    host.send({ t: 'note', m: 'runtimeEvent', p: { name: 'agentEvent', payload: { n: 7 }, pluginId: 'two' } });
    await host.waitForNote('log', (note) => note.message === 'two 7');
    assert.deepEqual(said(), ['first', 'first', 'two 7']);
    await host.request('unload', { pluginId: 'one' });
    await loadSource(host, source, { pluginId: 'three', env: { OWN_TOKEN: 'third' } });
    assert.equal(said().at(-1), 'third');
  }));

test('a function that returns nothing answers null', () =>
  withHost(async (host) => {
    const loaded = await loadSource(host, "export default (api) => api.registerService({ id: 's', start() {}, stop: () => null })");
    const [service] = rows(loaded, 'registerService')[0].args;
    assert.deepEqual([await host.call(service.start.$fn, []), await host.call(service.stop.$fn, [])], [null, null]);
  }));

test('the config of the gateway is meant by its word alone, and data that looks like a tag stays data', () =>
  withHost(async (host) => {
    const source = "export default (api) => api.registerService({ id: 's', start: (a, b) => [a.config === api.config, a.config?.own ?? null, JSON.stringify(b)] })";
    const loaded = await loadSource(host, source, { config: { own: 1 }, configMark: 'word' });
    const start = rows(loaded, 'registerService')[0].args[0].start.$fn;
    const data = { schema: { $ref: '#/definitions/a' }, more: { $fn: 'x' }, $set: { a: 1 } };
    assert.deepEqual(await host.call(start, [{ config: { $config: 'word' } }, data]), [true, 1, JSON.stringify(data)]);
    assert.deepEqual((await host.call(start, [{ config: { $config: 'another' } }, null])).slice(0, 2), [false, null]);
  }));

test('a child logger keeps its bindings and says nothing below its level', () => // API-031, RT-108
  withHost(async (host) => {
    const source = `export default (api) => { const child = api.runtime.logging.getChildLogger({ part: 'p' }, { level: 'warn' });
      child.debug('no'); child.info('no'); child.warn('yes', { more: 1 }); api.logger.info('plain'); api.logger.debug?.('fine');
      api.logger.warn(['info', 'warn', 'error'].every((name) => typeof api.logger[name] === 'function')); }`;
    await loadSource(host, source);
    await host.waitForNote('log', (note) => note.level === 'warn' && note.message === 'true');
    const said = host.notes.filter((note) => note.m === 'log').map(({ p }) => [p.level, p.message, p.meta ?? null]);
    assert.deepEqual(said, [['warn', 'yes', { part: 'p', more: 1 }], ['info', 'plain', null], ['debug', 'fine', null], ['warn', 'true', null]]);
  }));
