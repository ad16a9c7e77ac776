// Functions of the SDK whose work is the gateway's: what a plugin asks through them, and what it gets.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import test from 'node:test';
import { FakeHost, rows } from './fake-host.mjs';

/** Runs the body of a service's `start` in a worker, with the SDK's modules as `sdk`. */
async function inWorker(modules, body, answers, before = '') {
  const root = fs.mkdtempSync(path.join(os.tmpdir(), 'chela-plugin-'));
  const imports = modules.map((name, index) => `import * as m${index} from 'openclaw/plugin-sdk/${name}';`).join('\n');
  const source = `${imports}\nconst sdk = Object.assign({}, ${modules.map((_name, index) => `m${index}`).join(', ')});\nexport default (api) => { ${before} api.registerService({ id: 's', start: async () => { ${body} } }); };`;
  for (const [name, text] of Object.entries({ 'openclaw.plugin.json': '{"id":"probe"}', 'package.json': '{"type":"module"}', 'index.js': source })) fs.writeFileSync(path.join(root, name), text);
  const host = new FakeHost();
  const asked = [];
  for (const [name, answer] of Object.entries(answers)) host.host[name] = (params) => (asked.push([name, params]), typeof answer === 'function' ? answer(params) : answer);
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
  assert.deepEqual(asked.map(([, { text, sessionKey, args }]) => args ?? [text, sessionKey]), [['done', 'agent:main:main'], [{ filePath: '/b.ogg', mime: 'audio/ogg' }]]);
});

test('a route that is added late goes to the gateway with its handler, and what it refuses is told', async () => { // API-166, API-246
  const body = `const said = []; const log = (line) => said.push(line); const handler = () => true;
    const gone = sdk.registerPluginHttpRoute({ path: 'hook', auth: 'plugin', handler, log, accountId: 'work', replaceExisting: true });
    gone(); gone();
    sdk.registerPluginHttpRoute({ path: ' ', auth: 'plugin', handler, log });
    const targets = new Map();
    const two = ['/shared', 'shared/'].map((path) => sdk.registerWebhookTargetWithPluginRoute({ targetsByPath: targets, target: { path }, route: { auth: 'plugin', handler, log } }));
    two.forEach(({ unregister }) => unregister());
    return said;`;
  const { result, asked } = await inWorker(['webhook-ingress'], body, { 'host.http.addRoute': { id: 5, replaced: true }, 'host.http.removeRoute': true });
  assert.deepEqual(result, ['plugin: replaced the earlier route at /hook (account "work")', 'plugin: the webhook path is missing', 'plugin: replaced the earlier route at /shared']);
  const [added] = asked;
  assert.deepEqual([added[1].path, added[1].auth, typeof added[1].handler.$fn, added[1].replaceExisting], ['/hook', 'plugin', 'number', true]);
  assert.deepEqual(asked.map(([name, params]) => [name.split('.').at(-1), params.path ?? params.id]), [['addRoute', '/hook'], ['removeRoute', 5], ['addRoute', '/shared'], ['removeRoute', 5]]);
  const refused = await inWorker(['webhook-targets'], `const said = []; sdk.registerPluginHttpRoute({ path: '/x', auth: 'plugin', handler() {}, log: (line) => said.push(line) })(); return said;`, { 'host.http.addRoute': { refused: 'no' } });
  assert.deepEqual([refused.result, refused.asked.length], [['plugin: no'], 1]);
});

test('senders are paired in the files of the gateway, and entries have the form of the channel', async () => { // CH-37, CH-44, CH-47
  const body = `const plugin = { id: 'talk', meta: {}, capabilities: {}, config: {}, pairing: { idLabel: 'user', normalizeAllowEntry: (id) => id.replace(/^talk:/i, '').toLowerCase() } };
    return [await sdk.upsertChannelPairingRequest({ channel: 'talk', id: 7, meta: { name: 'N' } }), await sdk.approveChannelPairingCode({ channel: 'talk', code: 'x' }),
      await sdk.readChannelAllowFromStore('talk'), sdk.readChannelAllowFromStoreSync('talk', undefined, 'work'), await sdk.addChannelAllowFromStoreEntry({ channel: 'talk', entry: 'A' }),
      await sdk.removeChannelAllowFromStoreEntry({ channel: 'talk', entry: '*' })];`;
  const pairing = (name) => `host.channel.pairing.${name}`;
  const { result, asked } = await inWorker(['conversation-runtime'], body, {
    [pairing('upsertPairingRequest')]: { code: 'C', created: true }, [pairing('approve')]: { id: '7' }, [pairing('readAllowFromStore')]: ['A', 'b'], [pairing('allow')]: { changed: true, allowFrom: ['a'] },
  });
  assert.deepEqual(result, [{ code: 'C', created: true }, { id: '7' }, ['A', 'b'], ['A', 'b'], { changed: true, allowFrom: ['a'] }, { changed: false, allowFrom: ['A', 'b'] }]);
  assert.deepEqual(asked[0][1].args, [{ channel: 'talk', id: 7, meta: { name: 'N' } }]);
});

test('levels of thinking come from the provider, here or in another plugin, and from the model', async () => { // RT-028, RT-030
  const body = `const { agent } = api.runtime;
    const catalog = [{ provider: 'far', id: 'm', reasoning: true, compat: { supportedReasoningEfforts: ['x-high'] } }, { provider: 'lab', id: 'plain' }];
    return [agent.resolveThinkingPolicy({ provider: 'near', model: 'profile' }), agent.resolveThinkingPolicy({ provider: 'NEAR', model: 'binary' }),
      agent.resolveThinkingPolicy({ provider: 'far', model: 'm', catalog }), agent.resolveThinkingPolicy(),
      agent.resolveThinkingDefault({ cfg: {}, provider: 'far', model: 'm', catalog }), agent.resolveThinkingDefault({ cfg: {}, provider: 'lab', model: 'plain', catalog }),
      agent.resolveThinkingDefault({ cfg: { agents: { defaults: { thinkingDefault: 'high', models: { 'near/a': { params: { thinking: 'max' } } } } } }, provider: 'near', model: 'a' }),
      agent.resolveThinkingDefault({ cfg: {}, provider: 'near', model: 'profile' })];`;
  const near = `api.registerProvider({ id: 'near', label: 'N', auth: [], resolveThinkingProfile: ({ modelId }) => modelId === 'profile' ? { levels: [{ id: 'extra high', label: 'Most' }, { id: 'off' }], defaultLevel: 'xhigh' } : undefined,
    isBinaryThinking: ({ modelId }) => modelId === 'binary' });`;
  const { result, asked } = await inWorker(['core'], body, { 'host.agent.thinkingOpinions': {} }, near);
  const base = ['off', 'minimal', 'low', 'medium', 'high'];
  const ids = ({ levels }) => levels.map(({ id }) => id);
  assert.deepEqual(result[0], { levels: [{ id: 'off', label: 'off' }, { id: 'xhigh', label: 'Most' }], defaultLevel: 'xhigh' });
  assert.deepEqual(result[1], { levels: [{ id: 'off', label: 'off' }, { id: 'low', label: 'on' }] });
  assert.deepEqual([ids(result[2]), ids(result[3])], [[...base, 'xhigh'], base]);
  assert.deepEqual(result.slice(4), ['medium', 'off', 'max', 'xhigh']);
  assert.deepEqual([...new Set(asked.map(([, params]) => params.provider))], ['far', 'lab']);
});

test('threads are bound by the channel that has them', async () => { // RT-138
  const body = `const { threadBindings } = api.runtime.channel;
    return [threadBindings.setIdleTimeoutBySessionKey({ channelId: 'near', targetSessionKey: 'k', idleTimeoutMs: 5 }), threadBindings.setMaxAgeBySessionKey({ channelId: 'near', targetSessionKey: 'k' }),
      threadBindings.setMaxAgeBySessionKey({ channelId: 'far', targetSessionKey: 'k', maxAgeMs: 6 })];`;
  const near = `api.registerChannel({ id: 'near', meta: {}, capabilities: {}, config: { listAccountIds: () => [], resolveAccount: () => ({}) }, conversationBindings: { setIdleTimeoutBySessionKey: (params) => [params] } });`;
  const { result, asked } = await inWorker(['core'], body, { 'host.channel.threadBindings': [{ far: true }] }, near);
  assert.deepEqual(result, [[{ targetSessionKey: 'k', idleTimeoutMs: 5 }], [], [{ far: true }]]);
  assert.deepEqual(asked.map(([, { channel, member, params }]) => [channel, member, params]), [['far', 'setMaxAgeBySessionKey', { targetSessionKey: 'k', maxAgeMs: 6 }]]);
});

test('a batch of messages goes through the channel of the gateway, and each outcome is told', async () => {
  const body = `const results = [];
    const wanted = { channel: 'chat', to: 'u1', accountId: 'a', threadId: 7, payloads: [{ text: '[[reply_to: m9]] hi' }, { text: 'NO_REPLY' }, { text: 'two', mediaUrl: 'https://x/y.png' }] };
    const seen = [];
    const sent = await sdk.sendDurableMessageBatch({ ...wanted, onPayloadDeliveryOutcome: ({ status }) => seen.push(status), onCommitReceipt: (receipt) => void results.push(receipt.platformMessageIds) });
    const answer = await sdk.deliverInboundReplyWithMessageSendContext({ channel: 'chat', info: { kind: 'final' }, ctxPayload: { OriginatingTo: 'u2', MessageThreadId: 3, SessionKey: 'k' }, payload: { text: 'answer', replyToId: 'm1' } });
    const early = await sdk.deliverInboundReplyWithMessageSendContext({ channel: 'chat', info: { kind: 'block' }, ctxPayload: {}, payload: {} });
    return [sent.status, seen, results, answer.status, answer.delivery.messageIds, early.status];`;
  const { result, asked } = await inWorker(['channel-outbound'], body, { 'host.channel.send': { status: 'sent', results: [{ messageId: 'p1' }], messageId: 'p1' } });
  assert.deepEqual(result, ['sent', ['sent', 'sent'], [['p1']], 'handled_visible', ['p1'], 'not_applicable']);
  assert.deepEqual(asked.map(([, { to, threadId, replyToId, payload }]) => [to, threadId, replyToId, payload.text]), [['u1', 7, 'm9', 'hi'], ['u1', 7, undefined, 'two'], ['u2', 3, 'm1', 'answer']]);
});

test('a message that the channel refuses is told as failed, and one of an unknown channel as unsupported', async () => {
  const body = `const failed = await sdk.sendDurableMessageBatch({ channel: 'chat', to: 'u', payloads: [{ text: 'x' }], onSendFailure: (error) => void seen.push(error.message) });
    const none = await sdk.deliverInboundReplyWithMessageSendContext({ channel: 'chat', info: { kind: 'final' }, ctxPayload: { To: 'u' }, payload: { text: 'x' } });
    return [failed.status, failed.stage, seen, none];`;
  const { result } = await inWorker(['channel-outbound'], `const seen = []; ${body}`, { 'host.channel.send': { status: 'unsupported', reason: 'no such channel', results: [] } });
  assert.deepEqual(result, ['failed', 'platform_send', ['no such channel'], { status: 'unsupported', reason: 'missing_outbound_handler' }]);
});

test('speech is asked of the gateway, and long answers are summarised by the model first', async () => {
  const prefs = path.join(fs.mkdtempSync(path.join(os.tmpdir(), 'chela-tts-')), 'tts.json');
  const body = `const cfg = { messages: { tts: { auto: 'always', prefsPath: ${JSON.stringify(prefs)} } } };
    const config = sdk.resolveTtsConfig(cfg);
    const file = sdk.resolveTtsPrefsPath(config);
    sdk.setTtsMaxLength(file, 120);
    const spoken = await sdk.maybeApplyTtsToPayload({ payload: { text: 'word '.repeat(60) }, cfg, channel: 'chat', kind: 'final' });
    sdk.setTtsEnabled(file, false);
    const silent = await sdk.maybeApplyTtsToPayload({ payload: { text: 'a longer answer' }, cfg, channel: 'chat' });
    return [spoken.mediaUrl, spoken.spokenText, sdk.getLastTtsAttempt().summarized, sdk.isTtsEnabled(config, file), silent];`;
  const { result, asked } = await inWorker(['tts-runtime'], body, { 'host.tts.textToSpeech': { success: true, audioPath: '/a.mp3' }, 'host.llm.complete': { text: 'a short summary' } });
  assert.deepEqual(result, ['/a.mp3', 'a short summary', true, false, { text: 'a longer answer' }]);
  assert.deepEqual(asked.map(([method]) => method), ['host.llm.complete', 'host.tts.textToSpeech']);
  assert.deepEqual(JSON.parse(fs.readFileSync(prefs, 'utf8')), { tts: { maxLength: 120, auto: 'off' } });
});

test('files are described by the gateway', async () => {
  const body = 'return [await sdk.transcribeAudioFile({ filePath: "/v.ogg" }), await sdk.describeImageFile({ filePath: "/p.png" })];';
  const { result, asked } = await inWorker(['media-understanding-runtime'], body, { 'host.mediaUnderstanding.transcribeAudioFile': { text: 'said' }, 'host.mediaUnderstanding.describeImageFile': { text: 'seen' } });
  assert.deepEqual(result, [{ text: 'said' }, { text: 'seen' }]);
  assert.deepEqual(asked.map(([, { args }]) => args[0].filePath), ['/v.ogg', '/p.png']);
});

test('a turn gives its replies to a plugin that asks for them alone', async () => {
  const body = `return [await sdk.getReplyFromConfig({ Body: 'hi', SessionKey: 'k' }), await sdk.generateConversationLabel({ userMessage: 'hello there', prompt: 'name it', maxLength: 4 }),
    (await sdk.agentCommandFromIngress({ message: 'do', sessionKey: 'agent:main:x', timeout: '3' })).payloads];`;
  const answers = { 'host.channel.dispatch': { replies: [{ kind: 'final', payload: { text: 'one' } }, { kind: 'final', payload: { text: 'two' } }] }, 'host.llm.complete': { text: ' Greeting ' }, 'host.agent.runEmbeddedAgent': { payloads: [{ text: 'done' }], meta: {} } };
  const { result, asked } = await inWorker(['reply-runtime', 'agent-runtime'], body, answers);
  assert.deepEqual(result, [[{ text: 'one' }, { text: 'two' }], 'Gree', [{ text: 'done' }]]);
  const run = asked.find(([method]) => method === 'host.agent.runEmbeddedAgent')[1];
  const given = run.args?.[0] ?? run;
  assert.deepEqual([given.prompt, given.sessionKey, given.timeoutMs], ['do', 'agent:main:x', 3000]);
});

test('what this gateway does not have says so when it is used', async () => {
  const body = `const told = []; for (const run of [() => sdk.getAcpSessionManager().runTurn({}), () => sdk.loadQaRuntimeModule()]) { try { await run(); } catch (error) { told.push(error.code); } }
    return [told, sdk.resolveConfiguredAcpBindingRecord({}), sdk.isQaRuntimeAvailable(), sdk.getGlobalHookRunner(), sdk.getDebugProxyCaptureStore().listSessions()];`;
  const { result } = await inWorker(['acp-runtime', 'acp-binding-runtime', 'qa-runner-runtime', 'plugin-runtime', 'proxy-capture'], body, {});
  assert.deepEqual(result, [['ACP_BACKEND_MISSING', 'NOT_BUILT'], null, false, null, []]);
});

test('the last answer of a session is read from its transcript, and a sender is paired by the gateway', async () => {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'chela-transcript-'));
  const file = path.join(dir, 's.jsonl');
  const line = (role, text) => JSON.stringify({ type: 'message', id: `${role}-${text}`, message: { role, content: [{ type: 'text', text }], timestamp: 5 } });
  fs.writeFileSync(file, `${line('user', 'q')}\n${line('assistant', 'first')}\n{broken\n${line('assistant', 'last')}\n${line('user', 'again')}\n`);
  const body = `return [await sdk.readLatestAssistantTextByIdentity({ sessionKey: 'agent:main:x', sessionId: 's' }), (await sdk.readSessionTranscriptEvents({ sessionKey: 'agent:main:x', sessionId: 's' })).length,
    await sdk.resolveSessionTranscriptIdentity({ sessionKey: 'agent:main:x', sessionId: 's' }), await sdk.upsertChannelPairingRequest({ channel: 'chat', id: 'bob' })];`;
  const { result, asked } = await inWorker(['session-transcript-runtime', 'conversation-runtime'], body, { 'host.session.resolveSessionFilePath': file, 'host.channel.pairing.upsertPairingRequest': { code: 'ABC', created: true } });
  assert.deepEqual(result, [{ id: 'assistant-last', text: 'last', timestamp: 5 }, 4, { agentId: 'main', memoryKey: 'transcript:main:s', sessionId: 's', sessionKey: 'agent:main:x' }, { code: 'ABC', created: true }]);
  assert.deepEqual(asked.at(-1)[1].args, [{ channel: 'chat', id: 'bob' }]);
});

test('a caller on the phone learns how the run stands, ends it, or tells it something', async () => {
  const body = `const said = [];
    for (const text of ['what are you doing?', 'cancel that', 'use the other one instead', 'after that, send it']) {
      const { ok, mode, active, message, sessionId, providerResult } = await sdk.controlRealtimeVoiceAgentRun({ sessionKey: ' k ', text, recentEvents: [{ type: 'tool.call', payload: { name: 'search' } }] });
      said.push([ok, mode, active, sessionId, message, providerResult?.status]);
    }
    return said;`;
  const { result, asked } = await inWorker(['realtime-voice'], body, { 'host.session.control': { sessionId: 's', active: true, done: true } });
  assert.deepEqual(result.map(([ok, mode, active, id]) => [ok, mode, active, id]), [[true, 'status', true, 's'], [true, 'cancel', true, 's'], [true, 'steer', true, 's'], [true, 'followup', true, 's']]);
  assert.deepEqual([result[0][4], result[1][5]], ['The agent is starting search.', 'cancelled']);
  assert.deepEqual(asked.map(([, { sessionKey, action }]) => [sessionKey, action]), [['k', 'look'], ['k', 'cancel'], ['k', 'steer'], ['k', 'steer']]);
  assert.equal(asked[2][1].text, 'use the other one instead');
  assert.match(asked[3][1].text, /^The caller adds this[^]*after that, send it$/);
});

test('a picture is made smaller until it fits, and the smallest is given when none does', async () => {
  const body = `const small = await sdk.optimizeImageToJpeg(Buffer.from('x'), 100); const none = await sdk.optimizeImageToPng(Buffer.from('x'), 2);
    return [small.optimizedSize, small.resizeSide, small.quality, none.optimizedSize, none.resizeSide];`;
  const bytes = (count) => ({ $bytes: Buffer.alloc(count).toString('base64') });
  const picture = ({ args: [{ maxSide, quality }] }) => bytes(maxSide === 1024 && quality === 60 ? 90 : 101);
  const answers = { 'host.media.resizeToJpeg': picture, 'host.media.resizeToPng': ({ args: [{ maxSide }] }) => bytes(maxSide) };
  const { result, asked } = await inWorker(['web-media'], body, answers);
  assert.deepEqual(result, [90, 1024, 60, 800, 800]);
  assert.equal(asked.filter(([method]) => method === 'host.media.resizeToJpeg').length, 18);
});

test('what waits for a session is read from the gateway, and heartbeats are told within the worker', async () => {
  const body = `const heard = [];
    const stop = sdk.onHeartbeatEvent((event) => heard.push(event.status));
    sdk.emitHeartbeatEvent({ status: 'sent' });
    stop();
    sdk.emitHeartbeatEvent({ status: 'skipped' });
    return [heard, sdk.getLastHeartbeatEvent().status, sdk.peekSystemEvents('k'), sdk.hasSystemEvents('k'), sdk.isSystemEventContextChanged('k', ' Build '), sdk.isSystemEventContextChanged('k', 'other')];`;
  const { result, asked } = await inWorker(['infra-runtime'], body, { 'host.system.systemEvents': [{ text: 'done', ts: 1, contextKey: 'build', trusted: true }] });
  assert.deepEqual(result, [['sent'], 'skipped', ['done'], true, false, true]);
  assert.equal(asked[0][1].sessionKey, 'k');
});

test('conversations are bound through the gateway, and none is bound by the configuration', async () => {
  const body = `const about = { pluginId: 'probe', conversation: { channel: 'chat', accountId: 'a', conversationId: 'c' } };
    const asked = await sdk.requestPluginConversationBinding({ ...about, requestedBySenderId: 'bob', binding: { summary: 's' } });
    sdk.markPluginBindingFallbackNoticeShown(' b ');
    return [asked.status, await sdk.getCurrentPluginConversationBinding(about), (await sdk.detachPluginConversationBinding(about)).removed, sdk.hasShownPluginBindingFallbackNotice('b'),
      sdk.resolveConfiguredBindingRecord(), await sdk.ensureConfiguredBindingTargetReady({}), sdk.resolvePairingIdLabel('chat')];`;
  const answers = { 'host.binding.request': { status: 'pending' }, 'host.binding.current': null, 'host.binding.detach': { removed: true } };
  const { result, asked } = await inWorker(['conversation-runtime'], body, answers);
  assert.deepEqual(result, ['pending', null, true, true, null, { ok: true }, 'userId']);
  assert.deepEqual(asked[0][1], { pluginId: 'probe', channel: 'chat', accountId: 'a', conversationId: 'c', senderId: 'bob', owner: { pluginId: 'probe' }, binding: { summary: 's' } });
});

test('providers of the worker, its context engines and its files are found', async () => {
  const before = "api.registerProvider({ id: 'Mine', label: 'Mine', auth: [], augmentModelCatalog: async () => [{ id: 'm' }] }); sdk.registerContextEngine('e', () => ({}));";
  const body = `const dir = ${JSON.stringify(fs.mkdtempSync(path.join(os.tmpdir(), 'chela-sibling-')))};
    const { filePath } = await sdk.writeSiblingTempFile({ dir, writeTemp: (file) => import('node:fs/promises').then((fs) => fs.writeFile(file, 'x')), resolveFinalPath: () => dir + '/f', mode: 0o600 });
    const out = await sdk.writeSiblingTempFile({ dir, writeTemp: async () => {}, resolveFinalPath: () => '/elsewhere' }).catch((error) => error.message);
    const left = (await import('node:fs')).readdirSync(dir);
    return [sdk.resolvePluginProviders().map(({ id, pluginId }) => [id, pluginId]), sdk.resolveOwningPluginIdsForProvider({ provider: 'mine' }), await sdk.augmentModelCatalogWithProviderPlugins({ context: {} }), left, filePath === dir + '/f', out.includes('does not lie in')];`;
  const { result } = await inWorker(['provider-catalog-runtime', 'compat', 'security-runtime'], body, {}, before);
  assert.deepEqual(result, [[['Mine', 'probe']], ['probe'], [{ id: 'm' }], ['f'], true, true]);
});

test('commands and channels of the worker are called as they were registered', async () => {
  const before = `api.registerCommand({ name: 'hi', description: 'greets', acceptsArgs: true, handler: (ctx) => ({ text: 'hi ' + ctx.args }) });
    api.registerChannel({ plugin: { id: 'chat', meta: { id: 'chat' }, capabilities: { chatTypes: ['direct'] }, config: { listAccountIds: () => [], resolveAccount: () => ({}), formatAllowFrom: ({ allowFrom }) => allowFrom.map((one) => one.replace('u-', '')) } } });`;
  const body = `const { command, args } = sdk.matchPluginCommand('/hi you');
    const who = sdk.resolveCommandAuthorization({ ctx: { Provider: 'chat', SenderId: 'u-bob' }, cfg: { channels: { chat: { allowFrom: ['u-bob'] } } }, commandAuthorized: true });
    return [(await sdk.executePluginCommand({ command, args, channel: 'chat', isAuthorizedSender: true })).text, who.ownerList, who.senderId, who.isAuthorizedSender];`;
  const { result } = await inWorker(['plugin-runtime', 'command-auth'], body, {}, before);
  assert.deepEqual(result, ['hi you', ['bob'], 'bob', true]);
});
