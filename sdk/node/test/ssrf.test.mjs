// Guarded requests against real servers on this machine.
import assert from 'node:assert/strict';
import http from 'node:http';
import test from 'node:test';
import zlib from 'node:zlib';
import { fetchWithSsrFGuard, SsrFBlockedError } from '../plugin-sdk/ssrf-runtime.js';

/** A server that records what it gets; other sites reach it under invented names. */
async function withServer(run) {
  const seen = [];
  const server = http.createServer((req, res) => {
    const parts = [];
    req.on('data', (part) => parts.push(part));
    req.on('end', () => {
      seen.push({ method: req.method, url: req.url, host: req.headers.host, headers: req.headers, body: Buffer.concat(parts).toString() });
      answer(req, res);
    });
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  try {
    await run({ port: server.address().port, seen });
  } finally {
    server.closeAllConnections();
    await new Promise((done) => server.close(done));
  }
}

function answer(req, res) {
  const url = new URL(req.url, 'http://x');
  if (url.pathname === '/to') return res.writeHead(Number(url.searchParams.get('status') ?? 302), { location: url.searchParams.get('url') }).end();
  if (url.pathname === '/gzip') return res.writeHead(200, { 'content-encoding': 'gzip' }).end(zlib.gzipSync('packed'));
  if (url.pathname === '/hang') return undefined;
  if (url.pathname === '/bare') return res.writeHead(302).end();
  return res.writeHead(200, { 'content-type': 'text/plain', 'x-answer': 'yes' }).end('hello');
}

const toLoopback = async () => [{ address: '127.0.0.1', family: 4 }];
const open = { allowPrivateNetwork: true };

test('a request reaches the pinned address with its method, headers and body', () =>
  withServer(async ({ port, seen }) => {
    const init = { method: 'POST', body: 'data', headers: { 'x-own': '1', 'content-type': 'text/plain' } };
    const { response, finalUrl, release } = await fetchWithSsrFGuard({ url: `http://site.example:${port}/a?b=1`, init, policy: open, lookupFn: toLoopback });
    assert.deepEqual([response.status, response.headers.get('x-answer'), await response.text()], [200, 'yes', 'hello']);
    assert.equal(finalUrl, `http://site.example:${port}/a?b=1`);
    await release();
    const [{ method, url, host, headers, body }] = seen;
    assert.deepEqual([method, url, host, headers['x-own'], body], ['POST', '/a?b=1', `site.example:${port}`, '1', 'data']);
    const packed = await fetchWithSsrFGuard({ url: `http://site.example:${port}/gzip`, policy: open, lookupFn: toLoopback });
    assert.equal(await packed.response.text(), 'packed');
  }));

test('private addresses are refused before a connection is made', () =>
  withServer(async ({ port, seen }) => {
    for (const host of ['127.0.0.1', 'localhost', '[::1]', '10.0.0.1', '192.168.1.1', '169.254.169.254', '0x7f.1', '[::ffff:127.0.0.1]', 'metadata.google.internal']) {
      await assert.rejects(fetchWithSsrFGuard({ url: `http://${host}:${port}/` }), SsrFBlockedError, host);
    }
    // A public name that leads into the private network.
    await assert.rejects(fetchWithSsrFGuard({ url: `http://site.example:${port}/`, lookupFn: toLoopback }), SsrFBlockedError);
    await assert.rejects(fetchWithSsrFGuard({ url: 'ftp://site.example/' }), /must be http or https/);
    await assert.rejects(fetchWithSsrFGuard({ url: `http://site.example:${port}/`, requireHttps: true }), /must use https/);
    assert.equal(seen.length, 0);
  }));

test('a redirect into the private network is refused', () =>
  withServer(async ({ port, seen }) => {
    const url = `http://site.example:${port}/to?url=${encodeURIComponent(`http://inside.example:${port}/secret`)}`;
    const policy = { allowedHostnames: ['site.example'] };
    await assert.rejects(fetchWithSsrFGuard({ url, policy, lookupFn: toLoopback }), SsrFBlockedError);
    assert.deepEqual(seen.map((row) => row.host), [`site.example:${port}`]);
  }));

test('redirects keep what they may and stop', () =>
  withServer(async ({ port, seen }) => {
    const to = (path, status = 302) => `http://a.example:${port}/to?status=${status}&url=${encodeURIComponent(path)}`;
    const run = (url, init, more) => fetchWithSsrFGuard({ url, init, policy: open, lookupFn: toLoopback, ...more });
    const secret = { method: 'POST', body: 'x', headers: { authorization: 'Bearer s', 'x-own': '1' } };
    await run(to(`http://b.example:${port}/end`), secret);
    const other = seen.at(-1);
    assert.deepEqual([other.method, other.body, other.headers.authorization, other.headers['x-own']], ['GET', '', undefined, undefined]);
    await run(to('/end', 307), secret);
    const same = seen.at(-1);
    assert.deepEqual([same.method, same.body, same.headers.authorization], ['POST', 'x', 'Bearer s']);
    await assert.rejects(run(to(to(to('/end'))), {}, { maxRedirects: 2 }), /Too many redirects \(limit: 2\)/);
    await assert.rejects(run(`http://a.example:${port}/bare`), /missing location/);
  }));

test('a request ends with its time and its caller', () =>
  withServer(async ({ port }) => {
    const run = (more) => fetchWithSsrFGuard({ url: `http://a.example:${port}/hang`, policy: open, lookupFn: toLoopback, ...more });
    await assert.rejects(run({ timeoutMs: 50 }));
    const controller = new AbortController();
    const waiting = assert.rejects(run({ signal: controller.signal }));
    controller.abort(new Error('enough'));
    await waiting;
  }));
