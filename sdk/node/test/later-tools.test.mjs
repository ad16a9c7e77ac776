// What plugins of 2026.6.11 ask for: origins that may be called, balances, generated music, events of memory.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import nodeHttp from 'node:http';
import os from 'node:os';
import path from 'node:path';
import test from 'node:test';
import * as approvals from '../plugin-sdk/approval-auth-runtime.js';
import * as events from '../plugin-sdk/memory-host-events.js';
import * as music from '../plugin-sdk/music-generation.js';
import { buildOAuthCallbackOriginResolver } from '../plugin-sdk/provider-auth-runtime.js';
import { fetchDeepSeekUsage } from '../plugin-sdk/provider-usage.js';
import * as ssrf from '../plugin-sdk/ssrf-runtime.js';

test('an allowed origin is reached, another port of its host is not, not even by a redirect', async (t) => {
  const server = nodeHttp.createServer((req, res) => (req.url === '/away' ? res.writeHead(302, { location: 'http://127.0.0.1:9/' }).end() : res.end('here')));
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  const base = `http://127.0.0.1:${server.address().port}`;
  const policy = ssrf.ssrfPolicyFromHttpBaseUrlAllowedOrigin(`${base}/v1`);
  const { response, release } = await ssrf.fetchWithSsrFGuard({ url: `${base}/x`, policy });
  assert.equal(await response.text(), 'here');
  await release();
  await assert.rejects(ssrf.fetchWithSsrFGuard({ url: 'http://127.0.0.1:9/', policy }), { name: 'SsrFBlockedError' });
  await assert.rejects(ssrf.fetchWithSsrFGuard({ url: `${base}/away`, policy }), { name: 'SsrFBlockedError' });
  await assert.rejects(ssrf.fetchWithSsrFGuard({ url: `${base}/x` }), { name: 'SsrFBlockedError' });
});

test('a balance is told in its currency, and what is wrong with an answer too', async () => {
  const ask = (body, status = 200) => fetchDeepSeekUsage('key', 500, async (url, init) => {
    assert.equal(init.headers.Authorization, 'Bearer key');
    return new Response(body, { status });
  });
  const infos = [{ currency: 'usd', total_balance: '12.5', granted_balance: '2', topped_up_balance: '10.50' }, { currency: 'CNY', total_balance: 3 }, { total_balance: 'x' }];
  const told = await ask(JSON.stringify({ is_available: false, balance_infos: infos }));
  assert.deepEqual(told, { provider: 'deepseek', displayName: 'DeepSeek', windows: [], summary: 'Balance $12.50 · Granted $2.00 · Topped up $10.50 · Balance ¥3.00', plan: 'Unavailable' });
  assert.equal((await ask('{}')).error, 'No balance data');
  assert.equal((await ask('<')).error, 'Malformed usage response');
  assert.equal((await ask('', 401)).error, 'HTTP 401');
});

test('generated music is fetched with its type, and no more of it than is allowed', async () => {
  const get = (more, type = 'application/octet-stream') => music.downloadGeneratedMusicAsset({ candidate: { url: 'https://x/a', mimeType: 'audio/wav' }, provider: 'p', requestFailedMessage: 'failed', fetchFn: async () => new Response('abc', { headers: { 'content-type': type } }), ...more });
  const asset = await get({ index: 1 });
  assert.deepEqual({ ...asset, buffer: String(asset.buffer) }, { buffer: 'abc', mimeType: 'audio/wav', fileName: 'track-2.wav', metadata: { url: 'https://x/a' } });
  assert.equal((await get({}, 'audio/flac; q=1')).fileName, 'track-1.flac');
  await assert.rejects(get({ maxBytes: 2 }), /more than 2 bytes/);
});

test('the journal of memory gives its events, and its notes only to those who ask for them', async (t) => {
  const workspaceDir = fs.mkdtempSync(path.join(os.tmpdir(), 'chela-events-'));
  t.after(() => fs.rmSync(workspaceDir, { recursive: true }));
  assert.deepEqual(await events.readMemoryHostEventRecords({ workspaceDir }), []);
  for (const type of ['memory.recall.recorded', 'memory.recall.skipped', 'memory.dream.completed']) await events.appendMemoryHostEvent(workspaceDir, { type });
  const kinds = (list) => list.map(({ type }) => type.split('.').at(-1));
  assert.deepEqual(kinds(await events.readMemoryHostEvents({ workspaceDir, limit: 2 })), ['recorded', 'completed']);
  assert.deepEqual(kinds(await events.readMemoryHostEventRecords({ workspaceDir, limit: 2 })), ['skipped', 'completed']);
  assert.deepEqual(await events.readMemoryHostEvents({ workspaceDir, limit: 0 }), []);
});

test('an approval by the same chat is known as one, and a sign-in returns only to its hosts', () => {
  const { authorizeActorAction } = approvals.createResolvedApproverActionAuthAdapter({ channelLabel: 'X', resolveApprovers: ({ cfg }) => cfg });
  assert.equal(approvals.isImplicitSameChatApprovalAuthorization(authorizeActorAction({ cfg: [], senderId: 'a' })), true);
  assert.equal(approvals.isImplicitSameChatApprovalAuthorization(authorizeActorAction({ cfg: ['a'], senderId: 'a' })), false);
  assert.equal(approvals.isImplicitSameChatApprovalAuthorization(null), false);
  const origin = buildOAuthCallbackOriginResolver([' App.X ', '']);
  assert.equal(origin(['https://app.x/page']), 'https://app.x');
  for (const other of [undefined, '', 'http://app.x', 'https://app.x.evil', 'no']) assert.equal(origin(other), undefined);
  assert.equal(buildOAuthCallbackOriginResolver(undefined)('https://app.x'), undefined);
});
