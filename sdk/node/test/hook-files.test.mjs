// The worker's part for `HOOK.md` hooks: which export runs, what a handler sees, what a broken one does to the others.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import test from 'node:test';
import { FakeHost, rows } from './fake-host.mjs';

const HANDLERS = {
  'plain.js': 'export default (event) => { event.messages.push(`plain ${"pluginConfig" in event.context} ${event.context.cfg.word}`); };',
  'named.ts': 'export const run = async (event: { context: { n?: number } }) => { event.context = { n: 1 }; };',
  'compiled.js': 'Object.defineProperty(exports, "__esModule", { value: true }); exports.default = (event) => { event.messages.push("compiled"); };',
  'common.js': 'module.exports = (event) => { event.messages.push("common"); };',
  'absent.js': 'export const other = 1;',
  'broken.js': 'throw new Error("not today");',
  'stuck.js': 'await new Promise(() => {}); export default () => {};',
};

test('handlers of hook files', async () => { // HOOK-266, HOOK-285
  const root = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'chela-hooks-')));
  const hooks = Object.entries(HANDLERS).map(([file, text]) => {
    const name = path.parse(file).name;
    fs.mkdirSync(path.join(root, name));
    fs.writeFileSync(path.join(root, name, file), text);
    const export_ = name === 'named' ? 'run' : 'default';
    return { name, description: '', events: ['command:new'], file: path.join(root, name, file), root: path.join(root, name), export: export_ };
  });
  const host = new FakeHost();
  try {
    await host.hello;
    const loaded = await host.load(root, 'chela:hook-files', { pluginId: 'hooks', pluginConfig: { hooks }, config: { word: 'hi' } });
    const registered = rows(loaded, 'registerHook');
    assert.deepEqual(registered.map((row) => row.args[2].name), hooks.map((hook) => `hook:${hook.name}`));
    const run = (name) => {
      const row = registered.find(({ args }) => args[2].name === `hook:${name}`);
      const event = { type: 'command', action: 'new', sessionKey: 's', context: { a: 1 }, timestamp: 1000, messages: [] };
      return host.call(row.args[1].$fn, [event], { adapter: 'internalHook', timeoutMs: name === 'stuck' ? 200 : 5000 });
    };
    assert.deepEqual(await run('plain'), { messages: ['plain false hi'], context: { a: 1 } });
    assert.deepEqual(await run('named'), { messages: [], context: { n: 1 } });
    assert.deepEqual((await run('compiled')).messages, ['compiled']);
    assert.deepEqual((await run('common')).messages, ['common']);
    assert.deepEqual((await run('absent')).messages, []);
    assert.deepEqual((await run('broken')).messages, []);
    await assert.rejects(run('stuck'), /timed out/);
    const said = host.notes.filter((note) => note.m === 'log').map((note) => note.p.message);
    assert.deepEqual(said.sort(), [
      `hook "absent" does not load: its export \`default\` is not a function (${path.join(root, 'absent/absent.js')})`,
      'hook "broken" does not load: not today',
    ]);
  } finally {
    await host.stop();
    fs.rmSync(root, { recursive: true });
  }
});
