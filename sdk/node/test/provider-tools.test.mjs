// Sign-ins, operations that are repeated, lists of models and streams of answers.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import test from 'node:test';
import * as catalog from '../plugin-sdk/provider-catalog-live-runtime.js';
import * as http from '../plugin-sdk/provider-http.js';
import * as oauth from '../plugin-sdk/provider-oauth-runtime.js';
import * as transport from '../plugin-sdk/provider-transport-runtime.js';

test('a sign-in can be given up, and its pages show nothing of a stranger as markup', async () => {
  const { verifier, challenge } = await oauth.generatePKCE();
  assert.equal(challenge, createHash('sha256').update(verifier).digest('base64url'));
  const end = new AbortController();
  const told = [];
  const waiting = oauth.withOAuthLoginAbort(new Promise(() => {}), end.signal, () => told.push('gone'));
  end.abort();
  await assert.rejects(waiting, /Login cancelled/);
  assert.deepEqual(told, ['gone']);
  assert.equal(await oauth.withOAuthLoginAbort(Promise.resolve(5), new AbortController().signal), 5);
  assert.doesNotMatch(oauth.oauthErrorHtml('<script>x</script>', '"<b>'), /<script|<b>/);
});

test('what passes by itself is repeated, what makes something new is not', async () => {
  const failing = (times) => {
    let left = times;
    return async () => {
      if (left-- > 0) throw Object.assign(new Error('busy'), { status: 503 });
      return 'ok';
    };
  };
  const quick = { attempts: 3, baseDelayMs: 1, maxDelayMs: 1 };
  assert.equal(await http.executeProviderOperationWithRetry({ stage: 'poll', retry: quick, operation: failing(2) }), 'ok');
  await assert.rejects(() => http.executeProviderOperationWithRetry({ stage: 'create', operation: failing(1) }), /busy/);
  await assert.rejects(() => http.executeProviderOperationWithRetry({ stage: 'poll', retry: quick, operation: async () => { throw Object.assign(new Error('no'), { status: 401 }); } }), /no/);
  await assert.rejects(() => http.readProviderBinaryResponse(new Response('{}', { headers: { 'content-type': 'application/json' } }), 'L'), /malformed binary/);
  await assert.rejects(() => http.readProviderBinaryResponse(new Response('abcdef'), 'L', 'audio', { maxBytes: 3 }), /exceeds 3 bytes|malformed/);
  assert.deepEqual(await http.readProviderJsonArrayFieldResponse(Response.json({ data: [1] }), 'L', 'data'), [1]);
});

test('a provider keeps the models that its list has, and all when the list fails', async () => {
  const guard = (answer) => async ({ init }) => ({ response: answer(init.headers.get('authorization')), release: async () => {} });
  const params = { providerId: 'p', endpoint: 'https://p.example/models', apiKey: 'k', providerConfig: { baseUrl: 'b' }, models: [{ id: 'a' }, { id: 'b' }] };
  const seen = [];
  const found = await catalog.buildLiveModelProviderConfig({ ...params, cacheKeyParts: ['one'], fetchGuard: guard((auth) => (seen.push(auth), Response.json({ data: [{ id: 'b', object: 'model' }, { id: 'x' }] }))) });
  assert.deepEqual([found.models, found.apiKey, seen], [[{ id: 'b' }], 'k', ['Bearer k']]);
  const whole = await catalog.buildLiveModelProviderConfig({ ...params, cacheKeyParts: ['two'], fetchGuard: guard(() => new Response('', { status: 500 })) });
  assert.equal(whole.models.length, 2);
  await assert.rejects(() => catalog.fetchLiveProviderModelIds({ ...params, fetchGuard: guard(() => new Response('', { status: 403 })) }), { name: 'LiveModelCatalogHttpError', status: 403 });
});

test('a stream gives its events and its message', async () => {
  const { stream } = transport.createWritableTransportEventStream();
  const output = { stopReason: 'stop' };
  stream.push({ type: 'text_delta', delta: 'a' });
  transport.finalizeTransportStream({ stream, output });
  const events = [];
  for await (const event of stream) events.push(event.type);
  assert.deepEqual([events, await stream.result()], [['text_delta', 'done'], output]);
  const broken = transport.createWritableTransportEventStream().stream;
  transport.failTransportStream({ stream: broken, output: {}, error: new Error('gone') });
  assert.equal((await broken.result()).errorMessage, 'gone');
});
