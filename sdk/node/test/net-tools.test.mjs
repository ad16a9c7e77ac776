// Proxies, pinned connections, body limits and the webhook pipeline, against local servers.
import assert from 'node:assert/strict';
import http from 'node:http';
import net from 'node:net';
import test from 'node:test';
import { createHttp1EnvHttpProxyAgent, createNodeProxyAgent, getProxyUrlFromFetch, makeProxyFetch, wrapFetchWithAbortSignal } from '../plugin-sdk/fetch-runtime.js';
import { readResponseWithLimit } from '../plugin-sdk/response-limit-runtime.js';
import { retryAsync } from '../plugin-sdk/retry-runtime.js';
import { closeDispatcher, createPinnedDispatcher } from '../plugin-sdk/ssrf-dispatcher.js';
import { fetchWithSsrFGuard } from '../plugin-sdk/ssrf-runtime.js';
import { installRequestBodyLimitGuard, readJsonBodyWithLimit } from '../plugin-sdk/webhook-request-guards.js';
import {
  createAsyncLock,
} from '../plugin-sdk/async-lock-runtime.js';
import {
  createFixedWindowRateLimiter, createWebhookAnomalyTracker, createWebhookInFlightLimiter, readJsonWebhookBodyOrReject, registerWebhookTarget,
  resolveWebhookTargetWithAuthOrReject, withResolvedWebhookRequestPipeline,
} from '../plugin-sdk/webhook-ingress.js';

/** Runs something with servers that listen on loopback; they are closed afterwards. */
async function withServers(servers, run) {
  for (const server of servers) await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    return await run(...servers.map((server) => server.address().port));
  } finally {
    for (const server of servers) {
      server.closeAllConnections();
      server.close();
    }
  }
}

/** A proxy that tunnels every name to one port, and remembers for whom. */
function proxyTo(port, seen) {
  return http.createServer().on('connect', (req, socket) => {
    seen.push(`${req.url} ${req.headers['proxy-authorization'] ?? ''}`.trim());
    const out = net.connect(port(), '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      socket.pipe(out).pipe(socket);
    });
    for (const end of [socket, out]) end.on('error', () => {});
  });
}
const hello = () => http.createServer((req, res) => res.end(`hello ${req.headers.host}`));

test('requests go through a proxy, with its credentials', async () => {
  const seen = [];
  let port;
  await withServers([hello(), proxyTo(() => port, seen)], async (target, proxy) => {
    port = target;
    const proxyUrl = `http://me:s%20t@127.0.0.1:${proxy}`;
    const viaProxy = makeProxyFetch(proxyUrl);
    assert.equal(getProxyUrlFromFetch(viaProxy), proxyUrl);
    assert.equal(await (await viaProxy('http://one.invalid/x')).text(), 'hello one.invalid');
    assert.deepEqual(seen, [`one.invalid:80 Basic ${Buffer.from('me:s t').toString('base64')}`]);

    const agent = createNodeProxyAgent({ mode: 'explicit', proxyUrl: `127.0.0.1:${proxy}`, protocol: 'http' });
    const body = await new Promise((resolve, reject) => {
      http.get('http://two.invalid:81/', { agent }, (res) => res.on('data', (chunk) => resolve(String(chunk)))).on('error', reject);
    });
    agent.destroy();
    assert.deepEqual([body, seen.at(-1)], ['hello two.invalid:81', 'two.invalid:81']);

    const environment = createHttp1EnvHttpProxyAgent({ httpProxy: `http://127.0.0.1:${proxy}`, noProxy: '127.0.0.1' });
    assert.equal(await (await fetch('http://three.invalid/', { dispatcher: environment })).text(), 'hello three.invalid');
    assert.equal(await (await fetch(`http://127.0.0.1:${target}/`, { dispatcher: environment })).text(), `hello 127.0.0.1:${target}`);
    assert.equal(seen.length, 3);
    await closeDispatcher(environment);
  });
});

test('a guarded fetch takes a proxy only when the policy allows its address', async () => {
  const seen = [];
  let port;
  await withServers([hello(), proxyTo(() => port, seen)], async (target, proxy) => {
    port = target;
    const params = { url: 'http://far.invalid/', mode: 'trusted_explicit_proxy', dispatcherPolicy: { mode: 'explicit-proxy', proxyUrl: `http://127.0.0.1:${proxy}` } };
    await assert.rejects(fetchWithSsrFGuard(params), { name: 'SsrFBlockedError' });
    params.dispatcherPolicy.allowPrivateProxy = true;
    await assert.rejects(fetchWithSsrFGuard({ ...params, url: 'http://x.internal/' }), { name: 'SsrFBlockedError' });
    const { response, release } = await fetchWithSsrFGuard(params);
    assert.equal(await response.text(), 'hello far.invalid');
    await release();
    assert.deepEqual(seen, ['far.invalid:80']);
  });
});

test('a pinned dispatcher connects to the checked addresses', async () => {
  await withServers([hello()], async (port) => {
    const dispatcher = createPinnedDispatcher({ hostname: 'pinned.invalid', addresses: ['127.0.0.1'] });
    assert.equal(await (await fetch(`http://pinned.invalid:${port}/`, { dispatcher })).text(), `hello pinned.invalid:${port}`);
    await closeDispatcher(dispatcher);
    await closeDispatcher(undefined);
  });
});

test('a response is read up to a limit', async () => {
  assert.equal(String(await readResponseWithLimit(new Response('12345'), 5)), '12345');
  await assert.rejects(readResponseWithLimit(new Response('123456'), 5), { message: 'Content too large: 6 bytes (limit: 5 bytes)' });
  const stalled = new Response(new ReadableStream({ start() {} }));
  await assert.rejects(readResponseWithLimit(stalled, 5, { chunkTimeoutMs: 5 }), /stalled/);
});

test('foreign abort signals end a request', async () => {
  const listeners = new Set();
  const foreign = { aborted: false, addEventListener: (_type, fn) => listeners.add(fn), removeEventListener: (_type, fn) => listeners.delete(fn) };
  const never = wrapFetchWithAbortSignal((_url, { signal }) => new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('ended')))));
  const pending = never('http://x/', { signal: foreign });
  for (const fn of listeners) fn();
  await assert.rejects(pending, { message: 'ended' });
  assert.equal(listeners.size, 0);
});

async function post(port, path, body, headers = {}) {
  const response = await fetch(`http://127.0.0.1:${port}${path}`, { method: 'POST', body, headers: { 'content-type': 'application/json', ...headers } });
  return [response.status, await response.text()];
}

test('a webhook finds its receiver, reads the body and answers what is wrong', async () => {
  const targets = new Map();
  const events = [];
  const options = { onFirstPathTarget: ({ path }) => (events.push(`up ${path}`), () => events.push('down')), onLastPathTargetRemoved: ({ path }) => events.push(`gone ${path}`) };
  const first = registerWebhookTarget(targets, { path: 'hook/', token: 'a' }, options);
  const second = registerWebhookTarget(targets, { path: '/hook', token: 'b' }, options);
  const rateLimiter = createFixedWindowRateLimiter({ windowMs: 60_000, maxRequests: 6, maxTrackedKeys: 10 });
  const server = http.createServer(async (req, res) => {
    const params = { req, res, targetsByPath: targets, allowMethods: ['POST'], requireJsonContentType: true, rateLimiter, rateLimitKey: 'k', inFlightLimiter: createWebhookInFlightLimiter() };
    const known = await withResolvedWebhookRequestPipeline({ ...params, async handle({ targets: list }) {
      const target = await resolveWebhookTargetWithAuthOrReject({ targets: list, res, isMatch: ({ token }) => req.headers['x-token'] === token || req.headers['x-token'] === '*' });
      if (!target) return;
      const body = await readJsonWebhookBodyOrReject({ req, res, maxBytes: 20 });
      if (body.ok) res.end(`${target.token} ${JSON.stringify(body.value)}`);
    } });
    if (!known) res.writeHead(404).end('none');
  });
  await withServers([server], async (port) => {
    assert.deepEqual(await post(port, '/other', '{}'), [404, 'none']);
    assert.deepEqual(await post(port, '/hook', '{"x":1}', { 'x-token': 'b' }), [200, 'b {"x":1}']);
    assert.deepEqual(await post(port, '/hook', '{}', {}), [401, 'unauthorized']);
    assert.deepEqual(await post(port, '/hook', '{}', { 'x-token': '*' }), [401, 'ambiguous webhook target']);
    assert.deepEqual(await post(port, '/hook', '{', { 'x-token': 'a' }), [400, 'Bad Request']);
    assert.deepEqual(await post(port, '/hook', 'x', { 'x-token': 'a', 'content-type': 'text/plain' }), [415, 'Unsupported Media Type']);
    const got = await fetch(`http://127.0.0.1:${port}/hook`);
    assert.deepEqual([got.status, got.headers.get('allow')], [405, 'POST']);
    await post(port, '/hook', '{}', { 'x-token': 'a' });
    assert.deepEqual(await post(port, '/hook', '{}', { 'x-token': 'a' }), [429, 'Too Many Requests']);
  });
  first.unregister();
  first.unregister();
  second.unregister();
  assert.deepEqual([events, targets.size], [['up /hook', 'down', 'gone /hook'], 0]);
});

test('a body that is too large is refused while it comes', async () => {
  const results = [];
  const server = http.createServer(async (req, res) => {
    if (req.url === '/guard') {
      const guard = installRequestBodyLimitGuard(req, res, { maxBytes: 4, responseFormat: 'text' });
      req.on('close', () => results.push([guard.isTripped(), guard.code()]));
      req.resume();
      return;
    }
    results.push(await readJsonBodyWithLimit(req, { maxBytes: 4 }));
    res.end();
  });
  await withServers([server], async (port) => {
    const response = await post(port, '/guard', '123456').catch(() => undefined);
    if (response) assert.deepEqual(response, [413, 'Payload too large']);
    await post(port, '/', '"12345"').catch(() => {});
  });
  assert.deepEqual(results, [[true, 'PAYLOAD_TOO_LARGE'], { ok: false, code: 'PAYLOAD_TOO_LARGE', error: 'Payload too large' }]);
});

test('refused requests are logged once and then every so many', () => {
  const lines = [];
  const tracker = createWebhookAnomalyTracker({ logEvery: 3 });
  for (let i = 0; i < 6; i++) tracker.record({ key: 'k', statusCode: 401, message: (count) => `n=${count}`, log: (line) => lines.push(line) });
  assert.equal(tracker.record({ key: 'k', statusCode: 200, message: String }), 0);
  assert.deepEqual(lines, ['n=1', 'n=3', 'n=6']);
});

test('a call is tried again, with the pause that the server asks for', async () => {
  const pauses = [];
  const flaky = () => { if (pauses.length < 2) throw Object.assign(new Error('later'), { after: pauses.length ? undefined : 7 }); return 'done'; };
  const result = await retryAsync(async () => flaky(), { attempts: 5, minDelayMs: 1, maxDelayMs: 50, retryAfterMs: (error) => error.after, onRetry: ({ delayMs }) => pauses.push(delayMs) });
  assert.deepEqual([result, pauses], ['done', [7, 2]]);
  await assert.rejects(retryAsync(() => Promise.reject(new Error('no')), { attempts: 3, shouldRetry: () => false }), { message: 'no' });
});

test('a lock runs callers in order, after failures too', async () => {
  const lock = createAsyncLock();
  const order = [];
  const step = (name, fail) => lock(async () => {
    await new Promise((resolve) => setImmediate(resolve));
    order.push(name);
    if (fail) throw new Error(name);
  });
  const results = await Promise.allSettled([step('a'), step('b', true), step('c')]);
  assert.deepEqual([order, results.map(({ status }) => status)], [['a', 'b', 'c'], ['fulfilled', 'rejected', 'fulfilled']]);
});
