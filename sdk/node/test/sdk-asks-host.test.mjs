// Functions of the SDK whose work is the gateway's: what a plugin asks through them, and what it gets.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import test from 'node:test';
import { FakeHost, rows } from './fake-host.mjs';

/** Runs the body of a service's `start` in a worker, with the SDK's modules as `sdk`. */
async function inWorker(modules, body, answers) {
  const root = fs.mkdtempSync(path.join(os.tmpdir(), 'chela-plugin-'));
  const imports = modules.map((name, index) => `import * as m${index} from 'openclaw/plugin-sdk/${name}';`).join('\n');
  const source = `${imports}\nconst sdk = Object.assign({}, ${modules.map((_name, index) => `m${index}`).join(', ')});\nexport default (api) => api.registerService({ id: 's', start: async () => { ${body} } });`;
  for (const [name, text] of Object.entries({ 'openclaw.plugin.json': '{"id":"probe"}', 'package.json': '{"type":"module"}', 'index.js': source })) fs.writeFileSync(path.join(root, name), text);
  const host = new FakeHost();
  const asked = [];
  for (const [name, answer] of Object.entries(answers)) host.host[name] = (params) => (asked.push([name, params]), answer);
  try {
    await host.hello;
    const [row] = rows(await host.load(root, 'index.js'), 'registerService');
    return { result: await host.call(row.args[0].start.$fn, []), asked };
  } finally {
    await host.stop();
    fs.rmSync(root, { recursive: true });
  }
}

test('a single question goes to the model of the agent, without a key in the plugin', async () => {
  const body = `const cfg = { agents: { defaults: { model: 'openai/gpt-5' }, list: [{ id: 'main', default: true }, { id: 'two' }] } };
    const texts = [];
    for (const wish of [{ agentId: 'main' }, { agentId: 'two', modelRef: 'zai/glm' }]) {
      const prepared = await sdk.prepareSimpleCompletionModelForAgent({ cfg, ...wish });
      const message = await sdk.completeWithPreparedSimpleCompletionModel({ ...prepared, context: { systemPrompt: 'be short', messages: [{ role: 'user', content: [{ type: 'text', text: 'hi' }] }] }, options: { maxTokens: 9 } });
      texts.push([prepared.selection.modelId, prepared.auth.apiKey ?? null, sdk.extractAssistantText(message), message.usage.totalTokens]);
    }
    return texts;`;
  const { result, asked } = await inWorker(['simple-completion-runtime'], body, { 'host.llm.complete': { text: ' hello ', provider: 'openai', model: 'gpt-5', usage: { totalTokens: 7 } } });
  assert.deepEqual(result, [['gpt-5', null, 'hello', 7], ['glm', null, 'hello', 7]]);
  assert.deepEqual(asked.map(([, params]) => [params.agentId, params.model, params.systemPrompt, params.messages, params.maxTokens]), [
    [undefined, undefined, 'be short', [{ role: 'user', content: 'hi' }], 9],
    ['two', 'zai/glm', 'be short', [{ role: 'user', content: 'hi' }], 9],
  ]);
});

test('system events and first voice messages are asked of the gateway', async () => {
  const body = `return [sdk.enqueueSystemEvent('done', { sessionKey: 'agent:main:main' }),
    await sdk.transcribeFirstAudio({ cfg: {}, ctx: { MediaPaths: ['/a.png', '/b.ogg'], MediaTypes: ['image/png', 'audio/ogg'] } }),
    await sdk.transcribeFirstAudio({ cfg: { tools: { media: { audio: { enabled: false } } } }, ctx: { MediaPath: '/b.ogg' } }) ?? null];`;
  const { result, asked } = await inWorker(['system-event-runtime', 'media-runtime'], body, { 'host.system.enqueueSystemEvent': true, 'host.mediaUnderstanding.transcribeAudioFile': { text: 'said' } });
  assert.deepEqual(result, [true, 'said', null]);
  assert.deepEqual(asked.map(([, params]) => params.args), [['done', { sessionKey: 'agent:main:main' }], [{ filePath: '/b.ogg', mime: 'audio/ogg' }]]);
});
