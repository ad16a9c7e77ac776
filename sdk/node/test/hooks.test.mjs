// The `hooks` method: order, stop rules, timeouts, synchronous hooks.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import test from 'node:test';
import { FakeHost, rows } from './fake-host.mjs';

async function handlers(host, ...bodies) {
  const root = fs.mkdtempSync(path.join(os.tmpdir(), 'chela-hooks-'));
  fs.writeFileSync(path.join(root, 'package.json'), '{"type":"module"}');
  fs.writeFileSync(path.join(root, 'index.js'), `export default (api) => { ${bodies.map((body) => `api.on('session_start', ${body});`).join('\n')} }`);
  const loaded = await host.load(root, 'index.js', { pluginId: 'probe' });
  return rows(loaded, 'on').map((row) => ({ fn: row.args[1].$fn }));
}

const CASES = [
  // name, hook, mode, stop, handlers, expected: ok values (or error messages) of the handlers that were reached
  ['par runs all', 'session_start', 'par', undefined, ['() => 1', 'async () => { throw new Error("x") }', 'async () => 3'], [1, 'Error: x', 3]], // HOOK-107
  ['seq runs all in order', 'before_prompt_build', 'seq', undefined, ['(e) => { e.n = 1 }', '(e) => e.n'], [undefined, 1]], // HOOK-109
  ['block stops on true alone', 'before_tool_call', 'seq', 'block', ['() => ({ block: false })', '() => ({ block: 1 })', '() => ({ block: true })', '() => 4'], [{ block: false }, { block: 1 }, { block: true }]], // HOOK-165
  ['cancel stops', 'message_sending', 'seq', 'cancel', ['() => ({ cancel: true })', '() => 2'], [{ cancel: true }]],
  ['handled stops', 'before_dispatch', 'seq', 'handled', ['() => ({ handled: 0 })', '() => ({ handled: "yes" })', '() => 3'], [{ handled: 0 }, { handled: 'yes' }]],
  ['a valid pass goes on', 'before_agent_run', 'seq', 'outcome', ['() => ({ outcome: "pass" })', '() => {}', '() => ({ outcome: "block", reason: "r" })', '() => 4'], [{ outcome: 'pass' }, undefined, { outcome: 'block', reason: 'r' }]], // HOOK-143, HOOK-146
  ['a pass with more members stops', 'before_agent_run', 'seq', 'outcome', ['() => ({ outcome: "pass", extra: 1 })', '() => 2'], [{ outcome: 'pass', extra: 1 }]], // HOOK-143
  ['null is an invalid decision', 'before_agent_run', 'seq', 'outcome', ['() => null', '() => 2'], [null]], // HOOK-108, HOOK-145
  ['an error stops a hook that fails closed', 'before_tool_call', 'seq', 'block', ['() => { throw new Error("x") }', '() => 2'], ['Error: x']], // HOOK-106
  ['an error does not stop a hook that fails open', 'message_sending', 'seq', 'cancel', ['() => { throw new Error("x") }', '() => 2'], ['Error: x', 2]], // HOOK-105
  ['sync hands messages on', 'tool_result_persist', 'sync', undefined, ['(e) => ({ message: e.message + "b" })', '() => {}', '(e) => ({ message: e.message + "c" })'], [{ message: 'ab' }, undefined, { message: 'abc' }]], // HOOK-027
  ['sync refuses promises and goes on', 'before_message_write', 'sync', 'block', ['async () => ({ block: true })', '(e) => ({ block: "truthy" })', '() => 3'], [/must be synchronous/, { block: 'truthy' }]], // HOOK-028, HOOK-206
  ['a timeout is told in its words', 'agent_end', 'par', undefined, ['() => new Promise(() => {})', '() => 2'], ['TimeoutError: timed out after 30ms', 2]], // HOOK-098, HOOK-099
];

for (const [name, hook, mode, stop, bodies, expected] of CASES) {
  test(name, async () => {
    const host = new FakeHost();
    try {
      await host.hello;
      const fns = (await handlers(host, ...bodies)).map((row) => ({ ...row, timeoutMs: 30 }));
      const result = await host.request('hooks', { hook, fns, event: { message: 'a' }, ctx: {}, mode, stop });
      assert.equal(result.length, expected.length);
      result.forEach((row, index) => {
        const wanted = expected[index];
        assert.equal(typeof row.ms, 'number');
        if (wanted instanceof RegExp) assert.match(row.err.message, wanted);
        else if (row.err) assert.equal(`${row.err.name}: ${row.err.message}`, wanted);
        else assert.deepEqual(row.ok, wanted);
      });
    } finally {
      await host.stop();
    }
  });
}

test('what only wakes the worker is served and not answered', async () => {
  const host = new FakeHost();
  try {
    await host.hello;
    const fns = await handlers(host, '() => 1');
    const wake = (id) => ({ t: 'req', id, m: 'hooks', p: { hook: 'wake', fns: [{ fn: 0 }], event: {}, ctx: {}, mode: 'seq' } });
    host.send(wake(0));
    host.send(wake(9000));
    const { ok } = await host.waitFor((frame) => frame.t === 'res' && frame.id === 9000);
    assert.deepEqual(ok.map((row) => row.ok), [undefined]);
    const [row] = await host.request('hooks', { hook: 'session_start', fns, event: {}, ctx: {}, mode: 'par' });
    assert.equal(row.ok, 1);
    assert.equal(host.frames.some((frame) => frame.t === 'res' && frame.id === 0), false);
  } finally {
    await host.stop();
  }
});

test('a rewritten text is what the next handler sees, in one worker as between workers', async () => { // HOOK-300
  const host = new FakeHost();
  try {
    await host.hello;
    const fns = await handlers(host, '() => ({ content: "b" })', '() => ({ content: 7 })', '(e) => ({ content: e.content + "c" })', '(e) => e.content');
    const rows = await host.request('hooks', { hook: 'message_sending', fns, event: { content: 'a' }, ctx: {}, mode: 'seq', stop: 'cancel', carry: 'content' });
    assert.deepEqual(rows.map((row) => row.ok), [{ content: 'b' }, { content: 7 }, { content: 'bc' }, 'bc']);
    const plain = await host.request('hooks', { hook: 'before_tool_call', fns, event: { content: 'a' }, ctx: {}, mode: 'seq', stop: 'block' });
    assert.equal(plain[3].ok, 'a');
  } finally {
    await host.stop();
  }
});

test('a handler has the configuration of its plugin, and a signal that fires when its time is up', async () => { // HOOK-111, HOOK-115, HOOK-296
  const host = new FakeHost();
  try {
    await host.hello;
    const fns = await handlers(
      host,
      '(e, c) => { c.mark = 1; return [e.context.pluginConfig, Object.keys(e), e.signal.aborted] }',
      '(e, c) => new Promise((done) => e.signal.addEventListener("abort", () => { globalThis.told = e.signal.reason.message; c.mark++; done() }))',
      '(e, c) => [globalThis.told, e.signal.aborted, c.mark]',
    );
    const limited = fns.map((row) => ({ ...row, timeoutMs: 40 }));
    const rows = await host.request('hooks', { hook: 'message_sending', fns: limited, event: { content: 'a' }, ctx: {}, mode: 'seq' });
    assert.deepEqual(rows[0].ok, [{}, ['content'], false]);
    assert.equal(rows[1].err.code, 'TIMEOUT');
    assert.deepEqual(rows[2].ok, ['timed out after 40ms', false, 2]);
  } finally {
    await host.stop();
  }
});

test('the host decides whether an error ends a batch', async () => { // HOOK-106
  const host = new FakeHost();
  try {
    await host.hello;
    const fns = await handlers(host, '() => { throw new Error("x") }', '() => 2');
    const reached = async (extra) => (await host.request('hooks', { hook: 'message_sending', fns, event: {}, ctx: {}, ...extra })).length;
    assert.equal(await reached({ mode: 'seq' }), 2);
    assert.equal(await reached({ mode: 'seq', failClosed: true }), 1);
    assert.equal(await reached({ mode: 'sync', failClosed: true }), 1);
    assert.equal(await reached({ mode: 'sync' }), 2);
    assert.equal(await reached({ mode: 'seq', failClosed: true, stopOnError: false }), 2);
    assert.equal(await reached({ mode: 'par', failClosed: true }), 2);
  } finally {
    await host.stop();
  }
});

test('model call events are frozen, and a trace always is', async () => { // HOOK-007, HOOK-112
  const host = new FakeHost();
  try {
    await host.hello;
    const fns = await handlers(host, '(e, c) => [Object.isFrozen(e), Object.isFrozen(c), Object.isFrozen(c.trace)]');
    const ask = async (hook) => (await host.request('hooks', { hook, fns, event: {}, ctx: { trace: {} }, mode: 'par' }))[0].ok;
    assert.deepEqual(await ask('model_call_started'), [true, true, true]);
    assert.deepEqual(await ask('session_start'), [false, false, true]);
  } finally {
    await host.stop();
  }
});

test('gateway_start has the configuration and getCron', async () => { // HOOK-080, HOOK-086
  const host = new FakeHost();
  try {
    await host.hello;
    host.host['host.cron.list'] = () => [{ id: 'job' }];
    const fns = await handlers(host, 'async (e, c) => [typeof c.config, await c.getCron().list()]');
    const [row] = await host.request('hooks', { hook: 'gateway_start', fns, event: { port: 1 }, ctx: { port: 1 }, mode: 'par' });
    assert.deepEqual(row.ok, ['object', [{ id: 'job' }]]);
  } finally {
    await host.stop();
  }
});
