// LM Studio: discovery, loading and set-up against a server on this machine.
import assert from 'node:assert/strict';
import http from 'node:http';
import test from 'node:test';
import * as sdk from '../plugin-sdk/lmstudio.js';

const MODELS = [{ type: 'llm', key: 'a/b', display_name: 'A B', format: 'gguf', max_context_length: 100_000, capabilities: { vision: true, reasoning: { allowed_options: ['off', 'on'] } } }, { type: 'embedding', key: 'e' }];
async function served(run) {
  const seen = [];
  const server = http.createServer((request, response) => {
    let body = '';
    request.on('data', (part) => (body += part)).on('end', () => {
      seen.push([request.method, request.url, request.headers.authorization, body]);
      response.end(JSON.stringify(request.url.endsWith('/load') ? { status: 'loaded' } : { models: MODELS }));
    });
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    return await run(`http://127.0.0.1:${server.address().port}`, seen);
  } finally {
    server.close();
  }
}

test('models are found with their facts, and loaded when they are not', () =>
  served(async (url, seen) => {
    const [model, ...more] = await sdk.discoverLmstudioModels({ baseUrl: `${url}/v1`, apiKey: 'k', quiet: true });
    assert.deepEqual([model.id, model.name, model.input, model.contextWindow, model.contextTokens, model.compat.supportsUsageInStreaming, more], ['a/b', 'A B (GGUF, vision)', ['text', 'image'], 100_000, 64_000, true, []]);
    await sdk.ensureLmstudioModelLoaded({ baseUrl: url, modelKey: 'a/b', requestedContextLength: 9000 });
    assert.deepEqual(seen.map(([method, path, auth]) => [method, path, auth]), [['GET', '/api/v1/models', 'Bearer k'], ['GET', '/api/v1/models', undefined], ['POST', '/api/v1/models/load', undefined]]);
    assert.deepEqual(JSON.parse(seen[2][3]), { model: 'a/b', context_length: 9000 });
  }));

test('set-up writes the provider and its first model, and says what is wrong with a name', () =>
  served(async (url) => {
    const said = [];
    const ctx = { config: {}, opts: { customBaseUrl: url }, resolveApiKey: async () => null, runtime: { error: (text) => said.push(text), exit: (code) => said.push(code) } };
    const config = await sdk.configureLmstudioNonInteractive(ctx);
    assert.deepEqual([config.agents.defaults.model.primary, config.models.providers.lmstudio.baseUrl, config.models.providers.lmstudio.apiKey], ['lmstudio/a/b', `${url}/v1`, 'lmstudio-local']);
    assert.equal(await sdk.configureLmstudioNonInteractive({ ...ctx, opts: { customBaseUrl: url, customModelId: 'none' } }), null);
    assert.match(said[0], /no model `none`/);
    const asked = await sdk.promptAndConfigureLmstudioInteractive({ config: {}, promptText: async ({ message }) => (message.includes('URL') ? url : 'secret') });
    assert.deepEqual([asked.defaultModel, asked.profiles[0].credential.key, asked.configPatch.models.providers.lmstudio.apiKey], ['lmstudio/a/b', 'secret', 'LM_API_TOKEN']);
    assert.deepEqual((await sdk.discoverLmstudioProvider({ config, env: {}, resolveProviderApiKey: () => ({}) })).provider.models.map(({ id }) => id), ['a/b']);
  }));

test('a server that does not answer is no error of discovery', async () => {
  const found = await sdk.fetchLmstudioModels({ baseUrl: 'http://127.0.0.1:9', timeoutMs: 500 });
  assert.deepEqual([found.reachable, found.models, await sdk.discoverLmstudioModels({ baseUrl: 'http://127.0.0.1:9', quiet: true })], [false, [], []]);
  await assert.rejects(() => sdk.ensureLmstudioModelLoaded({ baseUrl: 'http://127.0.0.1:9', modelKey: 'x' }), /discovery failed/);
});
