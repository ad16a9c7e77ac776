// Routes to the sessions that conversations are bound to.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { registerSessionBindingAdapter, resolveConfiguredBindingRoute, resolveRuntimeConversationBindingRoute, unregisterSessionBindingAdapter } from '../plugin-sdk/conversation-runtime.js';

const route = { agentId: 'main', sessionKey: 's', mainSessionKey: 'agent:main:main', lastRoutePolicy: 'session', matchedBy: 'default' };

test('a bound conversation goes to its session', (t) => {
  const touched = [];
  const targets = { a: 'agent:ops:x', main: 'agent:main:main', cron: 'agent:main:cron:j:run:r', own: 'agent:main:y' };
  const adapter = {
    channel: 'c', accountId: 'a', listBySession: () => [], touch: (id) => touched.push(id),
    resolveByConversation: ({ conversationId: id }) => (targets[id] ? { bindingId: id, targetSessionKey: targets[id], metadata: id === 'own' ? { pluginBindingOwner: 'plugin', pluginId: 'p', pluginRoot: '/p' } : {} } : null),
  };
  registerSessionBindingAdapter(adapter);
  t.after(() => unregisterSessionBindingAdapter({ channel: 'c', accountId: 'a', adapter }));
  const of = (conversationId) => resolveRuntimeConversationBindingRoute({ route, conversation: { channel: 'c', accountId: 'a', conversationId } });
  assert.deepEqual(of('a').route, { ...route, sessionKey: 'agent:ops:x', agentId: 'ops', matchedBy: 'binding.channel' });
  assert.equal(of('main').route.lastRoutePolicy, 'main');
  assert.deepEqual([of('cron'), of('none')], [{ bindingRecord: null, route }, { bindingRecord: null, route }]);
  assert.deepEqual([of('own').bindingRecord.bindingId, of('own').route], ['own', route]);
  assert.ok(touched.includes('a') && !touched.includes('cron'));
});

test('a binding to an agent of another program is refused by name', () => {
  const cfg = { bindings: [{ type: 'acp', match: { channel: 'c' } }] };
  assert.throws(() => resolveConfiguredBindingRoute({ cfg, route, channel: 'c', accountId: 'a', conversationId: 'x' }), { code: 'NOT_BUILT', message: /resolveConfiguredBindingRoute/ });
});
