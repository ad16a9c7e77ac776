// Drafts, progress and debouncing of channels, in time.
import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import test from 'node:test';
import { createInboundDebouncer } from '../plugin-sdk/channel-inbound-debounce.js';
import { createStatusReactionController } from '../plugin-sdk/channel-feedback.js';
import { createChannelProgressDraftCompositor, createChannelProgressDraftGate, createChannelRunQueue, createFinalizableDraftLifecycle, keepHttpServerTaskAlive, mergeChannelProgressDraftLine, buildChannelProgressDraftLine, formatChannelProgressDraftText } from '../plugin-sdk/channel-outbound.js';
import { createApprovalReactionTargetStore } from '../plugin-sdk/approval-reaction-runtime.js';
import { createPairLoopGuard, DEFAULT_PAIR_LOOP_GUARD_SETTINGS } from '../plugin-sdk/pair-loop-guard-runtime.js';

const turn = () => new Promise((resolve) => setImmediate(resolve));

test('quick messages are handed over together and in order', async () => {
  const flushed = [];
  let release;
  const first = new Promise((resolve) => (release = resolve));
  const debouncer = createInboundDebouncer({
    debounceMs: 1_000_000, buildKey: ({ key }) => key, shouldDebounce: ({ now }) => !now,
    onFlush: async (items) => {
      if (items[0].wait) await first;
      flushed.push(items.map(({ text }) => text).join('+'));
    },
  });
  await debouncer.enqueue({ key: 'k', text: 'a', wait: true });
  await debouncer.enqueue({ key: 'k', text: 'b' });
  const command = debouncer.enqueue({ key: 'k', text: '/stop', now: true });
  await debouncer.enqueue({ key: 'other', text: 'c', now: true });
  assert.deepEqual(flushed, ['c']);
  release();
  await command;
  assert.deepEqual(flushed, ['c', 'a+b', '/stop']);
});

test('a cancelled batch is not handed over, and a failing one is told', async () => {
  const seen = [];
  const debouncer = createInboundDebouncer({
    debounceMs: 1_000_000, buildKey: () => 'k', onCancel: (items) => seen.push(['cancelled', ...items]), onError: (error, items) => seen.push([error.message, ...items]),
    onFlush: async () => {
      throw new Error('broken');
    },
  });
  await debouncer.enqueue(1);
  assert.equal(debouncer.cancelKey('k'), true);
  assert.equal(debouncer.cancelKey('k'), false);
  await debouncer.enqueue(2);
  await debouncer.flushKey('k');
  assert.deepEqual(seen, [['cancelled', 1], ['broken', 2]]);
});

test('a draft is edited, then deleted with the id that it got', async () => {
  const [sent, deleted] = [[], []];
  let id;
  const draft = createFinalizableDraftLifecycle({
    throttleMs: 0, state: { stopped: false, final: false }, readMessageId: () => id, clearMessageId: () => (id = undefined), isValidMessageId: Boolean, deleteMessage: async (given) => deleted.push(given),
    warnPrefix: 'draft',
    sendOrEditStreamMessage: async (text) => {
      sent.push(text);
      id = 'm1';
    },
  });
  draft.update('one');
  await draft.loop.waitForInFlight();
  draft.update('two');
  await draft.stop();
  await draft.clear();
  assert.deepEqual([sent, deleted], [['one', 'two'], ['m1']]);
});

test('runs of a key follow one another and none begins after the end', async () => {
  const [order, statuses, abort] = [[], [], new AbortController()];
  const queue = createChannelRunQueue({ setStatus: (status) => statuses.push(status.busy), abortSignal: abort.signal });
  queue.enqueue('k', async () => order.push(1));
  queue.enqueue('k', async () => {
    order.push(2);
    abort.abort();
  });
  queue.enqueue('k', async () => order.push(3));
  await turn();
  await turn();
  assert.deepEqual(order, [1, 2]);
  assert.deepEqual(statuses.slice(0, 3), [false, true, false]);
});

test('a server task ends with the server and waits for the abort', async () => {
  const [server, abort, log] = [new EventEmitter(), new AbortController(), []];
  const task = keepHttpServerTaskAlive({ server, abortSignal: abort.signal, onAbort: async () => {
    log.push('abort');
    server.emit('close');
    await turn();
    log.push('done');
  } });
  abort.abort();
  await task;
  assert.deepEqual(log, ['abort', 'done']);
});

test('a draft opens at the second step, not at the first', async () => {
  let opened = 0;
  const gate = createChannelProgressDraftGate({ initialDelayMs: 1_000_000, onStart: () => (opened += 1), setTimeoutFn: () => ({}), clearTimeoutFn: () => {} });
  assert.equal(await gate.noteWork(), false);
  assert.equal(await gate.noteWork(), true);
  assert.deepEqual([opened, gate.hasStarted, gate.workEvents], [1, true, 2]);
  gate.cancel();
  assert.equal(await gate.noteWork(), false);
});

test('the end of a command changes the line of its beginning', () => {
  const begin = buildChannelProgressDraftLine({ event: 'tool', name: 'exec', args: { command: 'make test' }, toolCallId: 't1' });
  assert.equal(begin.text, '🛠️ make test');
  const end = buildChannelProgressDraftLine({ event: 'command-output', exitCode: 2, toolCallId: 't1' });
  const lines = mergeChannelProgressDraftLine(mergeChannelProgressDraftLine([], begin, { maxLines: 8 }), end, { maxLines: 8 });
  assert.equal(lines.length, 1);
  assert.equal(formatChannelProgressDraftText({ entry: { streaming: { progress: { label: false } } }, lines }), '🛠️ exit 2; make test');
  const again = mergeChannelProgressDraftLine(['a'], 'a', { maxLines: 8 });
  assert.deepEqual(again, ['a']);
});

test('a progress draft shows tools until the reply begins', async () => {
  const shown = [];
  const draft = createChannelProgressDraftCompositor({ entry: { streaming: { mode: 'progress', progress: { label: 'Busy' } } }, active: true, mode: 'progress', update: async (text) => shown.push(text) });
  await draft.pushToolProgress('reads a file', { toolName: 'read' });
  await draft.pushToolProgress('typing', { toolName: 'typing' });
  assert.deepEqual(shown, []);
  await draft.pushToolProgress('runs it', { toolName: 'exec' });
  assert.deepEqual(shown, ['Busy\n\n• reads a file\n• runs it']);
  draft.markFinalReplyStarted();
  assert.equal(await draft.pushToolProgress('late', { toolName: 'exec' }), false);
  assert.equal(shown.length, 1);
});

test('status reactions follow a turn and leave only the last one', async () => {
  const calls = [];
  const controller = createStatusReactionController({
    enabled: true, initialEmoji: '👀', timing: { debounceMs: 1_000_000, stallSoftMs: 1_000_000, stallHardMs: 1_000_000 },
    adapter: { setReaction: async (emoji) => calls.push(`+${emoji}`), removeReaction: async (emoji) => calls.push(`-${emoji}`) },
  });
  controller.setQueued();
  controller.setTool('web_search');
  await controller.setDone();
  controller.setThinking();
  assert.deepEqual(calls, ['+👀', '+✅', '-👀']);
});

test('a pair of bots is silenced, then heard again', () => {
  const guard = createPairLoopGuard();
  const settings = { ...DEFAULT_PAIR_LOOP_GUARD_SETTINGS, maxEventsPerWindow: 2 };
  const say = (senderId, receiverId, nowMs) => guard.recordAndCheck({ scopeId: 's', conversationId: 'c', senderId, receiverId, settings, nowMs }).suppressed;
  assert.deepEqual([say('a', 'b', 1), say('b', 'a', 2), say('a', 'b', 3), say('b', 'a', 4), say('a', 'z', 4), say('a', 'b', 60_004)], [false, false, true, true, false, false]);
});

test('approval targets are kept in a store, which is given up when it fails', async () => {
  const kept = new Map();
  const errors = [];
  const store = { register: async (key, value) => kept.set(key, value), lookup: async (key) => kept.get(key), delete: async () => { throw new Error('gone'); } };
  const make = () => createApprovalReactionTargetStore({ namespace: 'n', maxEntries: 2, defaultTtlMs: 1000, openStore: () => store, logPersistentError: (error) => errors.push(error.message), nowMs: () => 5 });
  make().register(' k ', { approvalId: '1' });
  await turn();
  const other = make();
  assert.deepEqual(await other.lookup('k'), { approvalId: '1' });
  other.delete('k');
  await turn();
  assert.deepEqual([await other.lookup('k'), errors], [null, ['gone']]);
});
