// Media: what is stored, loaded and refused, and how much is read from the network.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import test from 'node:test';

const state = fs.mkdtempSync(path.join(os.tmpdir(), 'chela-media-'));
process.env.OPENCLAW_STATE_DIR = state;
const runtime = await import('../plugin-sdk/media-runtime.js');
test.after(() => fs.rmSync(state, { recursive: true, force: true }));
const PNG = Buffer.from('iVBORw0KGgoAAAANSUhEUgAAAAIAAAADCAIAAAA2iEnWAAAADElEQVR4nGNgYGAAAAAEAAH2FzhVAAAAAElFTkSuQmCC', 'base64');
const policy = { allowPrivateNetwork: true };

async function serve(handler) {
  const server = http.createServer(handler).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  return { url: `http://127.0.0.1:${server.address().port}`, close: () => server.close() };
}

test('bytes are stored under a random id and found by it', async () => {
  const saved = await runtime.saveMediaBuffer(PNG, 'image/png', 'inbound', undefined, 'my pic.png');
  assert.match(saved.id, /^my_pic---[0-9a-f-]{36}\.png$/);
  assert.equal(runtime.extractOriginalFilename(saved.path), 'my_pic.png');
  assert.deepEqual((await runtime.readMediaBuffer(saved.id)).buffer, PNG);
  assert.deepEqual(await runtime.getImageMetadata(PNG), { width: 2, height: 3 });
  await runtime.deleteMediaBuffer(saved.id);
  await assert.rejects(runtime.readMediaBuffer(saved.id), /does not resolve to a file/);
});

for (const [what, run] of [
  ['a directory that leaves the store', () => runtime.saveMediaBuffer(PNG, 'image/png', '../x')],
  ['an id that leaves the store', () => runtime.readMediaBuffer('../secret')],
]) test(`${what} is refused`, () => assert.rejects(run(), /unsafe media/));

test('a link in the store is not followed', async () => {
  fs.mkdirSync(path.join(state, 'media/inbound'), { recursive: true });
  fs.symlinkSync('/etc/hosts', path.join(state, 'media/inbound/link.txt'));
  await assert.rejects(runtime.readMediaBuffer('link.txt'), /does not resolve to a file/);
});

test('files outside the roots are refused, those inside are loaded', async () => {
  const file = path.join(state, 'media', 'a.png');
  fs.writeFileSync(file, PNG);
  const media = await runtime.loadWebMedia(file);
  assert.deepEqual([media.kind, media.contentType, media.fileName, media.buffer.length], ['image', 'image/png', 'a.png', PNG.length]);
  await assert.rejects(runtime.loadWebMedia('/etc/hosts'), { name: 'LocalMediaAccessError', code: 'path-not-allowed' });
  await assert.rejects(runtime.loadWebMedia(path.join(state, 'media', 'none.png')), { code: 'not-found' });
  await assert.rejects(runtime.loadWebMedia(file, 10), /exceeds 0MB limit/);
});

test('a download stops at its limit, whether or not the server tells the length', async () => {
  const server = await serve((request, response) => {
    if (request.url === '/told') response.setHeader('content-length', 100_000);
    response.write(Buffer.alloc(50_000));
    response.end(Buffer.alloc(50_000));
  });
  for (const name of ['told', 'untold']) {
    await assert.rejects(runtime.fetchRemoteMedia({ url: `${server.url}/${name}`, maxBytes: 60_000, ssrfPolicy: policy }), { name: 'MediaFetchError', code: 'max_bytes' });
  }
  server.close();
});

test('a failed download tells the status and the start of the body, and is tried again when asked to', async () => {
  let asked = 0;
  const server = await serve((_request, response) => {
    asked++;
    if (asked < 3) return response.writeHead(503).end('not  now');
    response.writeHead(200, { 'content-disposition': 'attachment; filename="x"', 'content-type': 'image/png' }).end(PNG);
  });
  await assert.rejects(runtime.fetchRemoteMedia({ url: server.url, ssrfPolicy: policy }), /HTTP 503 Service Unavailable; body: not now/);
  const media = await runtime.fetchRemoteMedia({ url: server.url, ssrfPolicy: policy, retry: { attempts: 3, minDelayMs: 1 } });
  assert.deepEqual([media.contentType, media.fileName, asked], ['image/png', 'x.png', 3]);
  server.close();
});

test('addresses of the own network are refused', () =>
  assert.rejects(runtime.fetchRemoteMedia({ url: 'http://127.0.0.1:9/x' }), { code: 'fetch_failed' }));
