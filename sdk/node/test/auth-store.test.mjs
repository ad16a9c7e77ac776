// Stored credentials: what is written, who may read it, and that several writers lose nothing.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import test from 'node:test';

const state = fs.mkdtempSync(path.join(os.tmpdir(), 'chela-auth-'));
process.env.OPENCLAW_STATE_DIR = state;
const auth = await import('../plugin-sdk/provider-auth.js');
const runtime = await import('../plugin-sdk/agent-runtime.js');
const agentDir = path.join(state, 'agents/main/agent');
const file = path.join(agentDir, 'auth-profiles.json');
test.after(() => fs.rmSync(state, { recursive: true, force: true }));

test('a key is stored for its owner only, and text beside a reference is dropped', () => {
  assert.equal(auth.upsertApiKeyProfile({ provider: 'openai', input: ' sk-1\n', agentDir }), 'openai:default');
  auth.upsertAuthProfile({ profileId: 'x:1', agentDir, credential: { type: 'api_key', provider: 'x', key: 'old', keyRef: { source: 'env', provider: 'default', id: 'X' } } });
  const { profiles } = JSON.parse(fs.readFileSync(file));
  assert.deepEqual(profiles['openai:default'], { type: 'api_key', provider: 'openai', key: 'sk-1' });
  assert.equal(profiles['x:1'].key, undefined);
  assert.equal(fs.statSync(file).mode & 0o777, 0o600);
  assert.deepEqual(auth.listUsableProviderAuthProfileIds({ provider: 'openai', agentDir }).profileIds, ['openai:default']);
});

test('a profile that failed rests, and is used again when it is cleared', async () => {
  const store = runtime.ensureAuthProfileStore(agentDir);
  await runtime.markAuthProfileFailure({ store, profileId: 'openai:default', reason: 'rate_limit', agentDir });
  const stored = JSON.parse(fs.readFileSync(path.join(agentDir, 'auth-state.json'))).usageStats['openai:default'];
  assert.deepEqual([stored.errorCount, stored.cooldownReason, stored.cooldownUntil > Date.now()], [1, 'rate_limit', true]);
  assert.equal(runtime.isProfileInCooldown(runtime.loadAuthProfileStore(agentDir), 'openai:default'), true);
  await runtime.clearAuthProfileCooldown({ store, profileId: 'openai:default', agentDir });
  assert.equal(runtime.isProfileInCooldown(runtime.loadAuthProfileStore(agentDir), 'openai:default'), false);
});

test('writers at the same time lose nothing', async () => {
  const one = (n) => runtime.upsertAuthProfileWithLock({ profileId: `p:${n}`, agentDir, credential: { type: 'token', provider: 'p', token: `t${n}` } });
  await Promise.all(Array.from({ length: 20 }, (_, n) => one(n)));
  assert.equal(runtime.listProfilesForProvider(runtime.loadAuthProfileStore(agentDir), 'p').length, 20);
});

test('another agent sees the profiles of the main one and keeps its own', () => {
  const other = path.join(state, 'agents/two/agent');
  auth.upsertAuthProfile({ profileId: 'own:1', agentDir: other, credential: { type: 'token', provider: 'own', token: 't' } });
  assert.deepEqual(Object.keys(JSON.parse(fs.readFileSync(path.join(other, 'auth-profiles.json'))).profiles), ['own:1']);
  assert.ok(runtime.loadAuthProfileStore(other).profiles['openai:default']);
});

test('removing a provider removes all that is known of it', async () => {
  await auth.removeProviderAuthProfilesWithLock({ provider: 'p', agentDir });
  assert.deepEqual(runtime.listProfilesForProvider(runtime.loadAuthProfileStore(agentDir), 'p'), []);
});

test('the local page of a sign-in takes only the state that it waits for', async () => {
  const { waitForLocalOAuthCallback } = await import('../plugin-sdk/provider-auth-runtime.js');
  const started = async (path) => {
    let say;
    const listening = new Promise((resolve) => (say = resolve));
    const port = 20_000 + (process.pid % 20_000) + (path.includes('ok') ? 1 : 0);
    const done = waitForLocalOAuthCallback({ port, hostname: '127.0.0.1', callbackPath: '/cb', redirectUri: 'x', expectedState: 'ok', successTitle: '<b>', timeoutMs: 10_000, onProgress: say }).catch((error) => error);
    await listening;
    const answer = await fetch(`http://127.0.0.1:${port}${path}`);
    return { done: await done, status: answer.status, text: await answer.text() };
  };
  const good = await started('/cb?code=c&state=ok');
  assert.deepEqual(good.done, { code: 'c', state: 'ok' });
  assert.doesNotMatch(good.text, /<b>/);
  const bad = await started('/cb?code=c&state=no');
  assert.deepEqual([bad.status, bad.done.message], [400, 'OAuth state mismatch']);
});
