// `api.runtime` as far as it is computed in the worker, and the slot in which plugins keep it.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import test from 'node:test';
import { createPluginRuntimeStore } from '../plugin-sdk/runtime-store.js';
import { FakeHost } from './fake-host.mjs';

// RT-024, RT-025
test('the old names of config calls warn once each', async () => {
  const root = fs.mkdtempSync(path.join(os.tmpdir(), 'chela-runtime-'));
  fs.writeFileSync(path.join(root, 'package.json'), '{"type":"module"}');
  fs.writeFileSync(
    path.join(root, 'index.js'),
    `export default (api) => { const { config } = api.runtime; config.loadConfig(); config.loadConfig();
      config.writeConfigFile({}).catch(() => {}); config.writeConfigFile({}).catch(() => {}); }`,
  );
  const host = new FakeHost();
  try {
    await host.hello;
    await host.load(root, 'index.js', { pluginId: 'probe' });
    const warnings = host.notes.filter((note) => note.m === 'log' && note.p.level === 'warn').map((note) => note.p.message);
    for (const name of ['loadConfig', 'writeConfigFile']) {
      assert.equal(warnings.filter((text) => text.includes(`runtime.config.${name}`) && text.includes('runtime-config-load-write')).length, 1, name);
    }
  } finally {
    await host.stop();
  }
});

// RT-141, RT-142
test('a runtime is kept by plugin, by key, or in private', () => {
  const byPlugin = () => createPluginRuntimeStore({ pluginId: ' probe ', errorMessage: 'no runtime yet' });
  const [one, two] = [byPlugin(), byPlugin()];
  assert.equal(one.tryGetRuntime(), null);
  assert.throws(() => one.getRuntime(), /^Error: no runtime yet$/);
  const runtime = {};
  one.setRuntime(runtime);
  assert.equal(two.getRuntime(), runtime);
  two.clearRuntime();
  assert.equal(one.tryGetRuntime(), null);
  const keyed = createPluginRuntimeStore({ key: 'mine', errorMessage: 'x' });
  keyed.setRuntime(runtime);
  assert.equal(createPluginRuntimeStore({ key: 'mine', errorMessage: 'y' }).getRuntime(), runtime);
  const [first, second] = [createPluginRuntimeStore('m'), createPluginRuntimeStore('m')];
  first.setRuntime(runtime);
  assert.equal(second.tryGetRuntime(), null);
  assert.throws(() => createPluginRuntimeStore({ pluginId: ' ', errorMessage: 'x' }), /pluginId/);
});

test('the memory tools of older releases are there for those who call them, and are no feature', async () => {
  const root = fs.mkdtempSync(path.join(os.tmpdir(), 'chela-runtime-'));
  fs.writeFileSync(path.join(root, 'package.json'), '{"type":"module"}');
  fs.writeFileSync(
    path.join(root, 'index.js'),
    `export default (api) => { const { tools } = api.runtime;
      api.logger.warn(JSON.stringify([tools.createMemorySearchTool({}), tools.createMemoryGetTool({}), Object.keys(api.runtime).includes('tools')])); }`,
  );
  const host = new FakeHost();
  try {
    await host.hello;
    await host.load(root, 'index.js', { pluginId: 'probe' });
    const texts = host.notes.filter((note) => note.m === 'log').map((note) => note.p.message);
    assert.ok(texts.some((text) => text.includes('[null,null,false]')), texts.join());
  } finally {
    await host.stop();
  }
});
