// The context of inbound messages.
import assert from 'node:assert/strict';
import test from 'node:test';
import { buildChannelInboundEventContext } from '../plugin-sdk/channel-inbound.js';

const facts = (extra = {}) => ({
  channel: 'zalo', from: 'zalo:42', messageId: 'm1', timestamp: 5,
  message: { rawBody: 'hi\r\nthere', body: '[Ann] hi' },
  sender: { id: '42', displayLabel: 'Ann' },
  conversation: { kind: 'group', id: 'g1', label: 'Cooks', threadId: 't1' },
  route: { agentId: 'main', routeSessionKey: 'agent:main:zalo:g1' },
  reply: { to: 'zalo:g1' },
  access: { mentions: { wasMentioned: true }, commands: { authorizers: [{ allowed: false }, { allowed: true }] } },
  ...extra,
});

test('facts become members, with fallbacks', () => {
  const context = buildChannelInboundEventContext(facts());
  const expected = {
    Body: '[Ann] hi', BodyForAgent: 'hi\nthere', CommandBody: 'hi\nthere', From: 'zalo:42', To: 'zalo:g1', OriginatingTo: 'zalo:g1',
    SessionKey: 'agent:main:zalo:g1', ChatType: 'group', GroupSubject: 'Cooks', SenderName: 'Ann', Provider: 'zalo', Surface: 'zalo',
    WasMentioned: true, CommandAuthorized: true, MessageThreadId: 't1', InboundEventKind: 'user_request', MessageSid: 'm1',
  };
  for (const [name, value] of Object.entries(expected)) assert.equal(context[name], value, name);
  const direct = buildChannelInboundEventContext(facts({ conversation: { kind: 'direct', id: 'u', label: 'Ann' }, access: undefined, extra: { Own: 1 } }));
  assert.deepEqual([direct.GroupSubject, direct.CommandAuthorized, direct.Own], [undefined, false, 1]);
});

test('media and quotes are laid in, as far as they may be seen', async () => {
  const media = [{ path: '/a.png', contentType: 'image/png' }, { url: 'http://x/b', kind: 'audio', transcribed: true }];
  const quote = { id: 'q', body: 'mine', isSelf: true, senderAllowed: false, media: [{ path: '/q.png' }] };
  const plain = buildChannelInboundEventContext(facts({ media, supplemental: { quote } }));
  assert.deepEqual(plain.MediaPaths, ['/a.png', '']);
  assert.deepEqual([plain.MediaUrl, plain.MediaTypes, plain.MediaTranscribedIndexes], ['/a.png', ['image/png', 'audio'], [1]]);
  assert.deepEqual([plain.ReplyToId, plain.ReplyToBody], ['q', undefined]);
  const hidden = buildChannelInboundEventContext(facts({ contextVisibility: 'allowlist', supplemental: { quote } }));
  assert.equal(hidden.ReplyToId, undefined);
  const theirs = { ...quote, isSelf: false, media: async () => [{ path: '/late.png' }] };
  const late = await buildChannelInboundEventContext(
    facts({ contextVisibility: 'allowlist_quote', supplemental: { quote: theirs }, resolveSupplementalMedia: true }),
  );
  assert.deepEqual([late.ReplyToBody, late.MediaPath], ['mine', '/late.png']);
});

test('a channel may finish the context itself', () => {
  const done = buildChannelInboundEventContext(facts({ finalize: (context, options) => [context.From, options], finalizeOptions: 3 }));
  assert.deepEqual(done, ['zalo:42', 3]);
});
