// Loose linking and loose resolution.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import test from 'node:test';
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { FakeHost } from './fake-host.mjs';
import { resolveSdk, virtualSource } from '../worker/loader/sdk.js';

async function load(files, entry = 'index.js', inside = '') {
  const root = path.join(fs.mkdtempSync(path.join(os.tmpdir(), 'chela-loader-')), inside);
  for (const [name, text] of Object.entries({ 'package.json': '{"type":"module"}', ...files })) {
    fs.mkdirSync(path.dirname(path.join(root, name)), { recursive: true });
    fs.writeFileSync(path.join(root, name), text);
  }
  const host = new FakeHost();
  try {
    await host.hello;
    const loaded = await host.load(root, entry, { pluginId: 'probe' });
    const said = host.notes.filter((note) => note.m === 'log').map((note) => note.p.message);
    return { ...loaded, said };
  } finally {
    await host.stop();
  }
}

const say = (expression, imports = '') => `${imports}\nexport default (api) => api.logger.info(String(${expression}))`;

test('an unknown name of a known subpath is a stub that fails when used, and is reported', async () => {
  const source = say(
    '(() => { try { return nope(); } catch (error) { return [error.name, error.code, error.subpath, error.exportName, typeof jsonResult].join(); } })()',
    `import { jsonResult, nope } from 'openclaw/plugin-sdk/core';`,
  );
  const { said, linkReport } = await load({ 'index.js': source });
  assert.deepEqual(said, ['ChelaSdkMissingExportError,CHELA_SDK_MISSING_EXPORT,core,nope,function']);
  assert.deepEqual(linkReport, { missingExports: [{ subpath: 'core', name: 'nope', importer: 'index.js' }], missingSubpaths: [] });
});

test('a stub may be a base class until it is constructed', async () => {
  const source = `import { Nope } from 'openclaw/plugin-sdk/core'; class A extends Nope {}\n${say('(() => { try { return new A(); } catch (error) { return error.code; } })()')}`;
  assert.deepEqual((await load({ 'index.js': source })).said, ['CHELA_SDK_MISSING_EXPORT']);
});

test('a missing subpath does not fail the load when only names are imported', async () => { // SUB-315
  const source = say('typeof a', `import{a as x,b}from"openclaw/plugin-sdk/not-there";const a=x;`);
  const { linkReport } = await load({ 'index.js': source });
  assert.deepEqual(linkReport.missingSubpaths, [{ subpath: 'not-there', importer: 'index.js' }]);
  assert.deepEqual(linkReport.missingExports.map((row) => row.name), ['a', 'b']);
});

test('an installed plugin is served as any other, though it lies in a node_modules', async () => {
  // What bundlers write for a dynamic require, and a name that makes the modules link anew.
  const bundle = `import { gone } from './other.js'; const old = ((x) => (typeof require !== 'undefined' ? require : () => { throw new Error('no require'); }))();`;
  const files = { 'index.js': say('[typeof gone, typeof old("node:process").pid, made].join()', `${bundle} import { made } from './other.js';`), 'other.js': 'export const made = 1;' };
  for (const inside of ['', 'node_modules/@me/probe']) {
    assert.deepEqual((await load(files, 'index.js', inside)).said, ['undefined,number,1'], inside);
  }
});

test('a barrel loads only what its importer names, and the root has the names of every subpath', async () => { // SUB-324
  const source = say(
    '[typeof runTasksWithConcurrency, typeof registerWebhookTarget, same === theirs, typeof whole.retryAsync].join()',
    `import { runTasksWithConcurrency, resolveRetryConfig as same } from 'openclaw/plugin-sdk/infra-runtime'; import { resolveRetryConfig as theirs } from 'openclaw/plugin-sdk/retry-runtime';
     import { registerWebhookTarget } from 'openclaw/plugin-sdk'; import * as whole from 'openclaw/plugin-sdk/retry-runtime';`,
  );
  const { said, linkReport } = await load({ 'index.js': source });
  assert.deepEqual([said, linkReport], [['function,function,true,function'], { missingExports: [], missingSubpaths: [] }]);
  const { url } = resolveSdk('openclaw/plugin-sdk/infra-runtime', 'file:///x.js', { names: new Set(['retryAsync']), namespace: false });
  assert.deepEqual(virtualSource(url).match(/internal\/[\w-]+/g), ['internal/missing', 'internal/retry']);
});

const DYNAMIC = [
  ['a namespace reads unknown members as undefined', { 'index.js': say('sdk.nope === undefined && typeof sdk.jsonResult', `import * as sdk from 'openclaw/plugin-sdk/core';`) }, 'function'],
  ['require works and reads unknown members as undefined', { 'package.json': '{}', 'index.js': 'const sdk = require("openclaw/plugin-sdk/core"); module.exports = (api) => api.logger.info(String(sdk.nope === undefined && typeof sdk.jsonResult));' }, 'function'],
  ['require of a missing subpath can be caught', { 'package.json': '{}', 'index.js': 'let code; try { require("openclaw/plugin-sdk/nope") } catch (error) { code = error.code } module.exports = (api) => api.logger.info(String(code));' }, 'ERR_MODULE_NOT_FOUND'],
  ['a dynamic import of a missing subpath can be caught', { 'index.js': `let code = 'none'; try { await import('openclaw/plugin-sdk/nope'); } catch (error) { code = error.code; }\n${say('code')}` }, 'ERR_MODULE_NOT_FOUND'],
  ['the root barrel', { 'index.js': say('typeof definePluginEntry', `import { definePluginEntry } from 'openclaw/plugin-sdk';`) }, 'function'],
  ['the package itself', { 'index.js': say('typeof definePluginEntry', `import { definePluginEntry } from 'openclaw';`) }, 'function'],
  ['the default import is the module', { 'index.js': say('typeof sdk.jsonResult', `import sdk from 'openclaw/plugin-sdk/core';`) }, 'function'],
  ['zod is there', { 'index.js': say('z.string().safeParse(1).success', `import { z } from 'openclaw/plugin-sdk/zod';`) }, 'false'],
  ['an import without extension', { 'index.js': say('a', `import { a } from './lib/a';`), 'lib/a.js': 'export const a = 1' }, '1'],
  ['the index of a directory', { 'index.js': say('a', `import { a } from './lib';`), 'lib/index.js': 'export const a = 2' }, '2'],
  ['a .js specifier that is TypeScript', { 'index.js': say('a', `import { a } from './a.js';`), 'a.ts': 'export const a: number = 3' }, '3'],
  ['JSON without attributes', { 'index.js': say('data.a + a', `import data, { a } from './data.json';`), 'data.json': '{"a":2}' }, '4'],
  ['JSON with attributes', { 'index.js': say('data.a', `import data from './data.json' with { type: 'json' };`), 'data.json': '{"a":5}' }, '5'],
  ['__dirname, __filename and require in an ES module', { 'index.js': say('require("node:path").basename(__filename) + typeof __dirname') }, 'index.jsstring'],
  ['a module that declares them itself', { 'index.js': `import { createRequire } from 'node:module'; const require = createRequire(import.meta.url); const __dirname = 'own';\n${say('__dirname + typeof require("node:fs").statSync')}` }, 'ownfunction'],
  ['CommonJS in a package of type module', { 'index.js': 'module.exports = { register: (api) => api.logger.info(String(typeof require)) }' }, 'function'],
  ['an ES module in a package without a type', { 'package.json': '{}', 'index.js': say('1') }, '1'],
  ['TypeScript that requires', { 'index.ts': 'const path = require("node:path"); export default (api: any) => api.logger.info(path.basename(__filename))' }, 'index.ts'],
  ['a name that a module of the plugin lacks', { 'index.js': say('String(missing) + there', `import { missing, there } from './a.js';`), 'a.js': 'export const there = 1' }, 'undefined1'],
  ['a name that only CommonJS knows', { 'index.js': say('late', `import { late } from './a.cjs';`), 'a.cjs': 'const name = "late"; module.exports[name] = 6' }, '6'],
  ['a dependency of the plugin', { 'index.js': say('dep', `import dep from 'dep';`), 'node_modules/dep/package.json': '{"name":"dep","main":"main.js"}', 'node_modules/dep/main.js': 'module.exports = 7' }, '7'],
  ['a file of a dependency without its extension', { 'index.js': say('dep', `import dep from 'dep/lib/x';`), 'node_modules/dep/package.json': '{"name":"dep"}', 'node_modules/dep/lib/x.js': 'module.exports = 8' }, '8'],
  ['a split channel entry', {
    'index.js': `import { defineBundledChannelEntry } from 'openclaw/plugin-sdk/channel-entry-contract';
      export default defineBundledChannelEntry({ id: 'probe', name: 'P', description: 'D', importMetaUrl: import.meta.url,
        plugin: { specifier: './channel.js', exportName: 'channel' }, runtime: { specifier: './runtime.js', exportName: 'setRuntime' }, registerFull: (api) => api.logger.info('full') });`,
    'channel.ts': 'export const channel = { id: "probe" as string };',
    'runtime.js': 'export const setRuntime = (runtime) => { if (!runtime.version) throw new Error("no runtime"); };',
  }, 'full'],
];
for (const [name, files, expected] of DYNAMIC) {
  test(name, async () => assert.deepEqual((await load(files, files['index.ts'] ? 'index.ts' : 'index.js')).said, [expected])); // SUB-313, SUB-314
}

test('a CommonJS module may hold the text of an ES module', async () => {
  const source = "const text = `\nimport fs from 'node:fs';\nexport default 1;\n`;\nmodule.exports = (api) => api.logger.info(String(text.length));";
  assert.deepEqual((await load({ 'package.json': '{}', 'index.js': source })).said, ['45']);
  const mixed = `import fs from 'node:fs';\nif (typeof module !== 'undefined') module.exports = 1;\n${say('typeof fs.readFileSync')}`;
  assert.deepEqual((await load({ 'index.js': mixed })).said, ['function']);
});

test('imports that a module begins and does not await are linked before it registers', async () => {
  const begun = `const subpaths = ['core', 'channel-plugin-common', 'reply-runtime'];\nexport const ready = Promise.all(subpaths.map((one) => import('openclaw/plugin-sdk/' + one)));`;
  const { said } = await load({ 'begun.js': begun, 'index.js': say('typeof api.runtime.config', "import './begun.js';") });
  assert.deepEqual(said, ['object']);
});

test('a name that another release has elsewhere is taken from where it is', async () => {
  const source = say(
    '[typeof createSubsystemLogger, typeof retryAsync, typeof nope].join()',
    "import { createSubsystemLogger } from 'openclaw/plugin-sdk/diagnostic-runtime'; import { retryAsync, nope } from 'openclaw/plugin-sdk/not-there';",
  );
  const { said, linkReport } = await load({ 'index.js': source });
  assert.deepEqual(said, ['function,function,function']);
  assert.deepEqual([linkReport.missingExports.map((row) => row.name), linkReport.missingSubpaths.map((row) => row.subpath)], [['nope'], ['not-there']]);
});

test('names of releases before 2026.5 are there', async () => {
  const root = await import('../plugin-sdk/compat.js');
  assert.deepEqual(root.splitOnboardingEntries(' a, b;c\n'), ['a', 'b', 'c']);
  assert.deepEqual(['open', undefined].map((groupPolicy) => root.resolveRuntimeGroupPolicy({ providerConfigPresent: false, groupPolicy })), [
    { groupPolicy: 'open', providerMissingFallbackApplied: false }, { groupPolicy: 'allowlist', providerMissingFallbackApplied: true },
  ]);
  const cfg = { channels: { talk: { accounts: { work: {} } } } };
  assert.deepEqual(['work', 'home'].map((accountId) => root.resolveChannelAccountConfigBasePath({ cfg, channelKey: 'talk', accountId })), ['channels.talk.accounts.work.', 'channels.talk.']);
  assert.deepEqual(['whatsapp:120-3@g.us', '1@s.whatsapp.net', '@g.us'].map(root.isWhatsAppGroupJid), [true, false, false]);
  assert.throws(() => root.assertSecretInputResolved({ value: { source: 'env', provider: 'default', id: 'TOKEN' }, path: 'channels.x.token' }), /channels\.x\.token: unresolved SecretRef "env:default:TOKEN"/);
  const pairing = { readAllowFromStore: async (of) => [of.channel, of.accountId], upsertPairingRequest: async (input) => input };
  const access = root.createScopedPairingAccess({ core: { channel: { pairing } }, channel: 'talk', accountId: 'Work' });
  assert.deepEqual([access.accountId, await access.readAllowFromStore(), access.issueChallenge], ['work', ['talk', 'work'], undefined]);
  const asked = [];
  const fetchFn = async (_url, { headers } = {}) => (asked.push(headers?.get('authorization') ?? null), new Response('', { status: headers?.get('authorization') === 'Bearer b' ? 200 : 401 }));
  const tokenProvider = { getAccessToken: async (scope) => scope };
  assert.equal((await root.fetchWithBearerAuthScopeFallback({ url: 'https://x.example', scopes: ['a', 'b'], tokenProvider, fetchFn })).status, 200);
  assert.deepEqual(asked, [null, 'Bearer a', 'Bearer b']);
});

test('exports.json is up to date', () => {
  execFileSync(process.execPath, [fileURLToPath(new URL('../tools/list-exports.mjs', import.meta.url)), '--check']);
});
