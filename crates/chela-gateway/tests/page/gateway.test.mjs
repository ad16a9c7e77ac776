// The page's connection, against a gateway that this test plays, with a clock that it turns.
import assert from 'node:assert/strict';
import { beforeEach, mock, test } from 'node:test';

const sockets = [];
class FakeSocket {
  constructor(url) {
    Object.assign(this, { url, sent: [], closedWith: null });
    sockets.push(this);
  }
  send(text) { this.sent.push(JSON.parse(text)); }
  close(code = 1005, reason = '') {
    if (this.closedWith) return;
    this.closedWith = { code, reason };
    this.onclose?.(this.closedWith);
  }
  give(frame) { this.onmessage?.({ data: JSON.stringify(frame) }); }
}

function storage() {
  const rows = new Map();
  return { getItem: (name) => rows.get(name) ?? null, setItem: (name, value) => rows.set(name, value) };
}

Object.assign(globalThis, { WebSocket: FakeSocket, document: { hidden: false, addEventListener() {} }, addEventListener() {}, isSecureContext: true });
globalThis.location = { href: 'http://localhost:18789/', origin: 'http://localhost:18789' };
const { Gateway } = await import(process.env.PAGE_DIR + '/gateway.js');

const seen = { states: [], gaps: 0, events: [], signins: [] };
let gateway;
beforeEach(() => {
  mock.timers.reset();
  mock.timers.enable({ apis: ['setTimeout', 'setInterval', 'Date'] });
  sockets.length = 0;
  Object.assign(seen, { states: [], gaps: 0, events: [], signins: [] });
  Object.assign(globalThis, { sessionStorage: storage(), localStorage: storage(), isSecureContext: true });
  gateway = new Gateway({
    onstate: (state) => seen.states.push(state), ongap: () => (seen.gaps += 1), onevent: (...event) => seen.events.push(event),
    onsignin: (why) => seen.signins.push(why), onhello() {},
  });
});

const latest = () => sockets.at(-1);
// Promises of the page settle while nothing of the fake clock moves.
const settled = () => new Promise((resolve) => setImmediate(resolve));
async function until(condition) {
  for (let i = 0; i < 2000 && !condition(); i++) await settled();
  assert.ok(condition());
}
async function challenge() {
  latest().give({ type: 'event', event: 'connect.challenge', payload: { nonce: 'n', ts: 1 } });
  await until(() => latest().sent.length > 0);
  return latest().sent[0];
}
async function connect() {
  gateway.start();
  const { id } = await challenge();
  latest().give({ type: 'res', id, ok: true, payload: { type: 'hello-ok', policy: { tickIntervalMs: 30_000 }, auth: {} } });
  await until(() => gateway.connected);
}

test('it comes back after 1 s, then later and later, at most 30 s', async () => { // GW-60
  gateway.start();
  for (const wait of [1, 2, 4, 8, 16, 30, 30]) {
    const count = sockets.length;
    latest().close(1006);
    mock.timers.tick(wait * 1000 - 1);
    assert.equal(sockets.length, count, `too early: ${wait}`);
    mock.timers.tick(1);
    assert.equal(sockets.length, count + 1, `too late: ${wait}`);
  }
});

test('a request is given up after 30 s', async () => { // GW-60
  await connect();
  const answer = gateway.call('status').then(() => 'answered', (error) => error.message);
  mock.timers.tick(29_999);
  latest().give({ type: 'event', event: 'tick', payload: {} });
  mock.timers.tick(1);
  assert.match(await answer, /`status` got no answer in 30 s/);
});

test('silence for twice the tick interval closes with 4000', async () => { // GW-60
  await connect();
  mock.timers.tick(55_000);
  latest().give({ type: 'event', event: 'tick', payload: {} });
  mock.timers.tick(60_000);
  assert.equal(latest().closedWith, null);
  mock.timers.tick(5_000);
  assert.deepEqual(latest().closedWith, { code: 4000, reason: 'tick timeout' });
});

async function refuse(canRetryWithDeviceToken) {
  const { id, params } = await challenge();
  const details = { code: 'AUTH_TOKEN_MISMATCH', canRetryWithDeviceToken };
  latest().give({ type: 'res', id, ok: false, error: { code: 'INVALID_REQUEST', message: 'no', details } });
  await settled();
  await settled();
  latest().close(1008);
  mock.timers.tick(1);
  return params.auth;
}

test('a wrong secret is tried once more with the stored token, on secure pages only', async () => { // GW-60
  gateway.setDeviceToken('stored');
  gateway.setSecret('wrong');
  gateway.start();
  assert.deepEqual(await refuse(true), { token: 'wrong' });
  assert.equal(sockets.length, 2, 'at once');
  assert.deepEqual(await refuse(true), { deviceToken: 'stored' });
  assert.equal(sockets.length, 2, 'not again');
  assert.equal(seen.signins.length, 1);

  globalThis.isSecureContext = false;
  gateway.setDeviceToken('stored');
  gateway.setSecret('wrong');
  gateway.start();
  assert.deepEqual(await refuse(true), { token: 'wrong' });
  assert.equal(seen.signins.length, 2);
});

test('a gap in the numbers of events is told, once, and a new connection counts anew', async () => { // GW-97
  await connect();
  const event = (seq) => latest().give({ type: 'event', event: 'chat', seq, payload: { seq } });
  [5, 6, 9, 10].forEach(event);
  assert.equal(seen.gaps, 1);
  latest().give({ type: 'event', event: 'connectless', payload: {} });
  assert.equal(seen.gaps, 1, 'events without a number leave none');
  assert.deepEqual(seen.events.slice(0, 4).map(([, { seq }]) => seq), [5, 6, 9, 10], 'nothing is asked for again, nothing held back');
  latest().close(1006);
  mock.timers.tick(1000);
  await challenge();
  event(1);
  assert.equal(seen.gaps, 1);
});
