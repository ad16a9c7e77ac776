// The adapters, through the fixture plugins.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import test from 'node:test';
import { FIXTURES, FakeHost, rows } from './fake-host.mjs';

async function withPlugin(name, run, { entry = 'index.js', ...extra } = {}) {
  const host = new FakeHost();
  try {
    await host.hello;
    return await run(host, await host.load(FIXTURES + name, entry, extra));
  } finally {
    await host.stop();
  }
}

const bytes = (value) => Buffer.from(value.$bytes, 'base64').toString();

test('httpRoute: a handler reads the body and answers', () => // API-155
  withPlugin('http-route', async (host, loaded) => {
    const [route] = rows(loaded, 'registerHttpRoute');
    const body = { $bytes: Buffer.from('{"a":1}').toString('base64') };
    const request = { method: 'POST', url: '/http-route/echo?x=1', headers: [['User-Agent', 'probe']], body, remoteAddress: '10.0.0.1' };
    const answer = await host.call(route.args[0].handler.$fn, [request], { adapter: 'httpRoute' });
    assert.deepEqual([answer.handled, answer.status, answer.headers], [true, 201, [['content-type', 'application/json']]]);
    assert.deepEqual(JSON.parse(bytes(answer.body)), { method: 'POST', url: '/http-route/echo?x=1', agent: 'probe', body: { a: 1 } });
  }));

test('httpRoute: a body written over time is a stream, and false passes on', () => // API-155
  withPlugin('http-route', async (host, loaded) => {
    const { handler } = rows(loaded, 'registerHttpRoute')[1].args[0];
    const ask = (url) => host.call(handler.$fn, [{ method: 'GET', url, headers: [], remoteAddress: '::1' }], { adapter: 'httpRoute' });
    assert.equal((await ask('/http-route/stream/pass')).handled, false);
    const answer = await ask('/http-route/stream');
    assert.equal(answer.status, 200);
    host.send({ t: 'pull', s: answer.body.$stream, n: 10 });
    await host.waitFor((frame) => frame.t === 'end' && frame.s === answer.body.$stream);
    const text = host.frames.filter((frame) => frame.t === 'chunk').map((frame) => bytes(frame.v)).join('');
    assert.equal(text, 'part 3\npart 2\npart 1\nend\n');
  }));

test('httpUpgrade: a socket of bytes in both directions', () => // API-164
  withPlugin('ws-echo', async (host, loaded) => {
    const upgrades = Object.fromEntries(rows(loaded, 'registerHttpRoute').map((row) => [row.args[0].path, row.args[0].handleUpgrade?.$fn]));
    let input = 100;
    const ask = (path) => {
      const request = { method: 'GET', url: path, headers: [['Sec-WebSocket-Key', 'eA==']], remoteAddress: '::1', input: { $stream: ++input } };
      return host.call(upgrades[path], [request], { adapter: 'httpUpgrade' });
    };
    const answer = await ask('/ws-echo');
    assert.equal(answer.handled, true);
    const output = answer.output.$stream;
    host.send({ t: 'pull', s: output, n: 100 });
    const heard = () => host.frames.filter((frame) => frame.t === 'chunk' && frame.s === output).map((frame) => bytes(frame.v)).join('');
    // A masked frame in two pieces, with a mask of zeros.
    await host.waitFor((frame) => frame.t === 'pull' && frame.s === input);
    host.send({ t: 'chunk', s: input, v: { $bytes: Buffer.from([0x81, 0x82, 0, 0]).toString('base64') } });
    host.send({ t: 'chunk', s: input, v: { $bytes: Buffer.from([0, 0, 0x68, 0x69]).toString('base64') } });
    await host.waitFor(() => heard().endsWith('hi'));
    assert.match(heard(), /^HTTP\/1\.1 101 [^]*\r\n\r\n..hello \/ws-echo from ::1/);
    host.send({ t: 'end', s: input });
    assert.equal((await host.waitFor((frame) => frame.t === 'end' && frame.s === output)).err, undefined);

    const lost = await ask('/ws-echo');
    host.send({ t: 'close', s: lost.output.$stream });
    await host.waitFor((frame) => frame.t === 'close' && frame.s === input);

    assert.deepEqual(await ask('/ws-echo/pass'), { handled: false });
    await host.waitFor((frame) => frame.t === 'close' && frame.s === input);
    await assert.rejects(ask('/ws-echo/throw'), /no upgrade today/);

    await ask('/ws-echo');
    await host.request('unload', { pluginId: 'ws-echo' });
    await host.waitFor((frame) => frame.t === 'close' && frame.s === input);
  }));

test('gatewayMethod: respond, value, refusal, exception', () => // API-168
  withPlugin('gateway-method', async (host, loaded) => {
    const methods = Object.fromEntries(rows(loaded, 'registerGatewayMethod').map((row) => [row.args[0], row.args[1].$fn]));
    const ask = (name) => host.call(methods[name], [{ params: { a: 1 }, client: null, req: {} }], { adapter: 'gatewayMethod' });
    assert.deepEqual((await ask('fixture.echo')).responded, [{ ok: true, payload: { echo: { a: 1 } } }]);
    assert.deepEqual((await ask('fixture.value')).responded, [{ ok: true, payload: { value: 42 } }]);
    assert.deepEqual((await ask('fixture.refuse')).responded, [{ ok: false, error: { code: 'INVALID_REQUEST', message: 'refused' } }]);
    await assert.rejects(ask('fixture.throw'), /fixture\.throw failed/);
  }));

test('service: start and stop see one context', () => // API-185, API-187
  withPlugin('service', async (host, loaded) => {
    const stateDir = fs.mkdtempSync(path.join(os.tmpdir(), 'chela-state-'));
    const { start, stop } = rows(loaded, 'registerService')[0].args[0];
    await host.call(start.$fn, [{ method: 'start', ctx: { stateDir } }], { adapter: 'service' });
    await host.call(stop.$fn, [{ method: 'stop', ctx: { stateDir } }], { adapter: 'service' });
    assert.equal(fs.readFileSync(path.join(stateDir, 'service-fixture.log'), 'utf8'), 'start\nstop with the same context\n');
    assert.equal((await host.waitForNote('log')).message, 'service started');
  }));

test('command: the handler gets its arguments and may bind the conversation', () => // API-144, API-145
  withPlugin('cli-command', async (host, loaded) => {
    const { handler } = rows(loaded, 'registerCommand')[0].args[0];
    assert.deepEqual(await host.call(handler.$fn, [{ channel: 'test', args: 'a b' }], { adapter: 'command' }), { text: 'fixture: a b' });
  }));

test('cli: commands, options, help, exit codes', () => // API-175
  withPlugin('cli-command', async (host, loaded) => {
    const registrar = rows(loaded, 'registerCli')[0].args[0].$fn;
    const run = (argv, extra) => host.call(registrar, [{ argv, parentPath: [], ...extra }], { adapter: 'cli' });
    assert.deepEqual(await run(['fixture-cli', 'greet', 'ada', '--shout']), { exitCode: 0 });
    assert.match(host.stdout, /HELLO ADA/);
    assert.deepEqual(await run(['fixture-cli'], { help: true }), { exitCode: 0 });
    assert.match(host.stdout, /greet \[options\] <name>/);
    assert.equal((await run(['fixture-cli', 'greet'])).exitCode, 1);
    assert.match(host.stderr, /missing required argument/);
    assert.equal((await run(['fixture-cli', 'fail'])).exitCode, 4);
  }));

test('internalHook: messages and the plugin configuration', async () => { // HOOK-115, HOOK-116, HOOK-266
  const root = fs.mkdtempSync(path.join(os.tmpdir(), 'chela-internal-'));
  fs.writeFileSync(path.join(root, 'index.mjs'), `export default (api) => api.registerHook('command:new', (event) => {
    event.messages.push(event.timestamp instanceof Date ? event.context.pluginConfig.word : 'no date'); event.context.seen = true; }, { name: 'probe' })`);
  const host = new FakeHost();
  try {
    await host.hello;
    const loaded = await host.load(root, 'index.mjs', { pluginId: 'probe', pluginConfig: { word: 'hi' } });
    const event = { type: 'command', action: 'new', sessionKey: 's', context: { a: 1 }, timestamp: 1000, messages: [] };
    const result = await host.call(rows(loaded, 'registerHook')[0].args[1].$fn, [event], { adapter: 'internalHook' });
    assert.deepEqual(result, { messages: ['hi'], context: { a: 1, seen: true } });
  } finally {
    await host.stop();
  }
});

test('toolFactory: tools are described, and malformed ones named', async () => { // API-108, API-109, API-112
  const root = fs.mkdtempSync(path.join(os.tmpdir(), 'chela-factory-'));
  fs.writeFileSync(path.join(root, 'index.mjs'), `export default (api) => api.registerTool((ctx) => ctx.sandboxed ? null : [
    { name: 'good', description: ctx.sessionKey, parameters: { type: 'object' }, execute() { return this.name + typeof ctx.getRuntimeConfig(); } },
    { name: 'noexec', parameters: {} }, { name: ' ' }, 7], { names: ['good'] })`);
  const host = new FakeHost();
  try {
    await host.hello;
    const loaded = await host.load(root, 'index.mjs', { pluginId: 'probe' });
    const make = (ctx) => host.call(rows(loaded, 'registerTool')[0].args[0].$fn, [ctx], { adapter: 'toolFactory' });
    assert.deepEqual(await make({ sandboxed: true }), []);
    const [good, ...bad] = await make({ sessionKey: 'k' });
    assert.deepEqual([good.name, good.description], ['good', 'k']);
    assert.equal(await host.call(good.execute.$fn, ['id', {}], { adapter: 'tool' }), 'goodobject');
    assert.deepEqual(bad.map((row) => row.malformed), ['missing execute function', 'missing non-empty name', 'tool must be an object']);
  } finally {
    await host.stop();
  }
});

test('TypeScript: extensionless imports, types without `type`, an enum, JSON, __dirname', () =>
  withPlugin('ts-plugin', async (host, loaded) => {
    const { execute } = rows(loaded, 'registerTool')[0].args[0];
    const result = await host.call(execute.$fn, ['id', { who: 'Ada' }], { adapter: 'tool' });
    assert.equal(result.content[0].text, 'hello Ada, happy!');
    assert.equal(result.details.where, path.join(FIXTURES, 'ts-plugin'));
  }, { entry: 'index.ts' }));

test('CommonJS: require, helpers, __dirname', () =>
  withPlugin('cjs-plugin', async (host, loaded) => {
    const { execute } = rows(loaded, 'registerTool')[0].args[0];
    assert.equal((await host.call(execute.$fn, ['id', {}], { adapter: 'tool' })).content[0].text, 'from cjs-plugin');
  }));

test('the recorder subscribes to all typed hooks of the contract', () => // HOOK-011
  withPlugin('hook-recorder', async (_host, loaded) => {
    assert.equal(rows(loaded, 'on').length, 36);
    assert.equal(rows(loaded, 'registerHook').length, 5);
  }));

for (const name of fs.readdirSync(FIXTURES)) {
  test(`the fixture ${name} has a manifest of its own id and an entry`, () => {
    const manifest = JSON.parse(fs.readFileSync(path.join(FIXTURES, name, 'openclaw.plugin.json'), 'utf8'));
    const pkg = JSON.parse(fs.readFileSync(path.join(FIXTURES, name, 'package.json'), 'utf8'));
    assert.equal(manifest.id, name);
    assert.ok(fs.existsSync(path.join(FIXTURES, name, pkg.openclaw.extensions[0])));
  });
}

test('tool: progress that is told too late is dropped', async () => {
  const { run } = await import('../worker/adapters/tool.js');
  let update;
  const told = [];
  const host = async (partial) => {
    told.push(partial);
    if (told.length > 1) throw new Error('the call has ended');
  };
  const row = { fn: (_id, _params, _signal, onUpdate) => (update = onUpdate) };
  await run(row, ['t', {}, null, host], { signal: new AbortController().signal });
  assert.equal(update('one'), undefined);
  assert.equal(update('two'), undefined);
  // A rejection that nobody catches fails the test.
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.deepEqual(told, ['one', 'two']);
});
