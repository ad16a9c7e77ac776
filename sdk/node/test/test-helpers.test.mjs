// The helpers that plugins' own tests use, without any test runner's functions, and `defineToolPlugin`.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { createTestPluginApi } from '../plugin-sdk/plugin-test-api.js';
import { capturePluginRegistration, createQueuedWizardPrompter, createRuntimeEnv, registerSingleProviderPlugin, requireRegisteredProvider } from '../plugin-sdk/plugin-test-runtime.js';
import { createAuthCaptureJsonFetch, createMockIncomingRequest, createMockServerResponse, jsonResponse, withEnv, withServer, withStateDirEnv, withTempHome } from '../plugin-sdk/test-env.js';
import { createCliRuntimeCapture, hasBalancedFences } from '../plugin-sdk/test-fixtures.js';
import { expectPendingUntilAbort, startAccountAndTrackLifecycle } from '../plugin-sdk/channel-test-helpers.js';
import { defineToolPlugin, getToolPluginMetadata } from '../plugin-sdk/tool-plugin.js';
import { resolveStateDir } from '../plugin-sdk/state-paths.js';
import { readJsonBodyWithLimit } from '../plugin-sdk/webhook-request-guards.js';
import { REGISTRATION_METHODS } from '../worker/api.js';

test('the api of a test has every method of the real one', () => {
  const seen = [];
  const api = createTestPluginApi({ registerTool: (tool) => seen.push(tool.name), id: 'mine' });
  // Older plugins call it; the reference refuses it.
  const missing = REGISTRATION_METHODS.filter((name) => name !== 'registerHttpHandler' && typeof api[name] !== 'function');
  assert.deepEqual([missing, api.id], [[], 'mine']);
  api.registerTool({ name: 'a' });
  api.session.controls.registerSessionAction({});
  assert.deepEqual([seen, api.runContext.setRunContext({}), api.resolvePath('x')], [['a'], false, 'x']);
});

test('registrations are kept by kind', async () => {
  const register = (api) => {
    api.registerTool({ name: 't' });
    api.registerProvider({ id: 'p' });
    api.registerCli(() => {}, { commands: [' c '], descriptors: [{ name: 'd', description: ' about d ' }] });
  };
  const kept = capturePluginRegistration({ register, id: 'x' });
  assert.deepEqual([kept.tools, kept.providers, kept.cliRegistrars[0].commands, kept.speechProviders], [[{ name: 't' }], [{ id: 'p' }], ['c', 'd'], []]);
  assert.equal((await registerSingleProviderPlugin({ register })).id, 'p');
  assert.throws(() => requireRegisteredProvider(kept.providers, 'q'), { message: 'provider q missing' });
});

test('a plugin of tools registers them and describes them', async () => {
  const entry = defineToolPlugin({
    id: 'tools', name: 'Tools', description: 'D',
    tools: (tool) => [
      tool({ name: 'greet', description: 'Greets', parameters: { type: 'object' }, execute: ({ who }, config, { toolCallId }) => `${config.word} ${who} ${toolCallId}` }),
      tool({ name: 'made', label: 'Made', description: 'M', parameters: {}, optional: true, factory: ({ toolContext }) => ({ name: 'made', in: toolContext }) }),
    ],
  });
  const calls = [];
  entry.register(createTestPluginApi({ pluginConfig: { word: 'hi' }, registerTool: (...args) => calls.push(args) }));
  assert.deepEqual(await calls[0][0].execute('id1', { who: 'Bob' }), { content: [{ type: 'text', text: 'hi Bob id1' }], details: 'hi Bob id1' });
  assert.deepEqual([calls[1][0]('ctx'), calls[1][1]], [{ name: 'made', in: 'ctx' }, { name: 'made', optional: true }]);
  const { activation, tools } = getToolPluginMetadata(entry);
  assert.deepEqual([activation, tools.map((one) => [one.name, one.label, one.optional])], [{ onStartup: true }, [['greet', 'greet', undefined], ['made', 'Made', true]]]);
  assert.deepEqual(Object.keys(entry).includes('metadata'), false);
});

test('environments are put back', async () => {
  const before = { ...process.env };
  assert.equal(withEnv({ CHELA_PROBE: 'x', HOME: undefined }, () => `${process.env.CHELA_PROBE} ${process.env.HOME}`), 'x undefined');
  const home = await withTempHome(async (dir) => {
    assert.deepEqual([process.env.HOME, resolveStateDir(), process.env.CHELA_PROBE], [dir, path.join(dir, '.openclaw'), `${dir}!`]);
    return dir;
  }, { env: { CHELA_PROBE: (dir) => `${dir}!` } });
  assert.equal(fs.existsSync(home), false);
  await withStateDirEnv('chela-state-', async ({ stateDir }) => assert.equal(resolveStateDir(), stateDir));
  assert.deepEqual({ ...process.env }, before);
});

test('requests, servers and fetches of tests', async () => {
  assert.deepEqual(await readJsonBodyWithLimit(createMockIncomingRequest(['{"a"', ':1}']), { maxBytes: 100 }), { ok: true, value: { a: 1 } });
  const res = createMockServerResponse();
  res.setHeader('X-A', '1').end('body');
  assert.deepEqual([res.getHeader('x-a'), res.body, res.headersSent], ['1', 'body', true]);
  await withServer((_req, out) => out.end('there'), async (url) => assert.equal(await (await fetch(url)).text(), 'there'));
  const { fetchFn, getAuthHeader } = createAuthCaptureJsonFetch({ ok: 1 });
  assert.deepEqual([await (await fetchFn('http://x', { headers: { Authorization: 'Bearer k' } })).json(), getAuthHeader()], [{ ok: 1 }, 'Bearer k']);
  assert.equal(jsonResponse({}, 201).status, 201);
});

test('wizards and runtimes remember what happened', async () => {
  const { prompter, text } = createQueuedWizardPrompter({ textValues: ['one'], confirmValues: [true], selectValues: ['s'] });
  assert.deepEqual([await prompter.text({ message: 'm' }), await prompter.text({}), await prompter.confirm({}), await prompter.select({ options: [] })], ['one', '', true, 's']);
  assert.deepEqual(text.mock.calls[0], [{ message: 'm' }]);
  assert.throws(() => createRuntimeEnv().exit(3), { message: 'exit 3' });
  const cli = createCliRuntimeCapture();
  cli.defaultRuntime.log('a', 1);
  assert.deepEqual(cli.runtimeLogs, ['a 1']);
  assert.deepEqual([hasBalancedFences('```\na\n```'), hasBalancedFences('~~~\na')], [true, false]);
});

test('an account runs until it is aborted', async () => {
  let begun;
  const started = new Promise((resolve) => (begun = resolve));
  const run = startAccountAndTrackLifecycle({
    account: { accountId: 'a' },
    async startAccount({ abortSignal, setStatus }) {
      setStatus({ running: true });
      begun();
      await new Promise((resolve) => abortSignal.addEventListener('abort', resolve));
    },
  });
  await expectPendingUntilAbort({ ...run, waitForStarted: () => started });
  assert.equal(run.patches[0].running, true);
});

test('fixtures of agent runtimes, of live tests and of runtimes need no test runner', async () => { // SUB-294, SUB-303, SUB-304
  const contracts = await import('../plugin-sdk/agent-runtime-test-contracts.js');
  const env = await import('../plugin-sdk/test-env.js');
  const fixtures = await import('../plugin-sdk/test-fixtures.js');
  assert.deepEqual(contracts.mediaToolResult('t', 'u', true), { content: [{ type: 'text', text: 't' }], details: { media: { mediaUrl: 'u', audioAsVoice: true } } });
  const { openAiCodexProvider: provider, codexCliProvider } = contracts.AUTH_PROFILE_RUNTIME_CONTRACT;
  const aliasLookupParams = { manifestRegistry: contracts.createAuthAliasManifestRegistry() };
  const forwarded = (authProfileProvider) => contracts.expectedForwardedAuthProfile({ provider, authProfileProvider, aliasLookupParams, sessionAuthProfileId: 'id' });
  assert.deepEqual([forwarded(codexCliProvider), forwarded('anthropic')], ['id', undefined]);
  assert.deepEqual(env.collectProviderApiKeys('google', { env: { GEMINI_API_KEYS: 'a, b;a', GEMINI_API_KEY: 'c', GEMINI_API_KEY_2: 'd', GOOGLE_API_KEY: 'e' }, providerEnvVars: ['X'] }), ['a', 'b', 'c', 'd', 'e']);
  assert.deepEqual(env.collectProviderApiKeys('my-own', { env: { OPENCLAW_LIVE_MY_OWN_KEY: 'only', MY_OWN_API_KEY: 'c' }, providerEnvVars: [] }), ['only']);
  const runtime = { log: () => 'kept', writeJson: () => {} };
  const [log, json] = [fixtures.spyRuntimeLogs(runtime), fixtures.spyRuntimeJson(runtime)];
  runtime.log('x');
  runtime.writeJson({ a: 1 });
  assert.deepEqual([log.mock.calls, fixtures.firstWrittenJsonArg(json)], [[['x']], { a: 1 }]);
  log.mockRestore();
  assert.equal(runtime.log(), 'kept');
  assert.throws(() => fixtures.expectGeneratedTokenPersistedToGatewayAuth({ generatedToken: 'short' }), /48 hexadecimal/);
});
