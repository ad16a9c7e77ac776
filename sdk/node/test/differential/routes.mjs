// Rows for the agent that answers a conversation.
import { later, list, pick, random } from './kit.mjs';

const peer = () => pick([undefined, null, { kind: pick(['direct', 'group', 'channel', 'dm', 'x']), id: pick(['1', '2', ' 1 ', '*', '', 3]) }]);
const binding = () => ({
  ...pick([{}, {}, {}, { type: 'acp' }, { type: 'route' }]), agentId: pick(['ops', 'Main', 'none', ' ', 'two']), ...(later ? { session: pick([undefined, { dmScope: 'per-peer' }]) } : {}),
  match: pick([undefined, ...Array.from({ length: 12 }, () => ({ channel: pick(['c', ' C ', 'd', '']), accountId: pick([undefined, '*', 'Work', ' ', 'home']), peer: peer(), guildId: pick([undefined, undefined, 'g', 5]), teamId: pick([undefined, undefined, undefined, 't']), roles: pick([undefined, undefined, [], ['r'], ['s']]) }))]),
});
const input = () => [{
  cfg: {
    agents: pick([undefined, {}, { list: [{ id: 'main' }, { id: 'Ops', default: pick([true, undefined]) }, { id: ' ' }] }]), session: pick([undefined, { dmScope: pick(['main', 'per-peer', 'per-channel-peer', 'per-account-channel-peer']), identityLinks: pick([undefined, { ann: ['c:1', '2'] }]) }]),
    bindings: pick([undefined, null, ...Array.from({ length: 8 }, () => [...list(binding), ...list(binding), ...list(binding)])]),
  },
  channel: pick(['c', 'c', ' C ', 'other', '']), accountId: pick([undefined, null, 'Work', 'work', 'home']), peer: peer(), parentPeer: pick([undefined, undefined, peer()]), guildId: pick([undefined, 'g', '5']), teamId: pick([undefined, 't']), memberRoleIds: pick([undefined, ['r'], ['x', 's']].slice(random(2))),
}];

const route = { agentId: 'main', channel: 'c', accountId: 'a', sessionKey: 's', mainSessionKey: 'agent:main:main', lastRoutePolicy: 'session', matchedBy: 'default' };
const bound = (conversationId) => ({ route, ...pick([{ channel: 'c', accountId: 'a', conversationId }, { conversation: { channel: 'c', accountId: 'a', conversationId } }]) });

export default [
  ['routing', ['resolveAgentRoute'], input, undefined, 6000],
  ['conversation-runtime', ['resolveRuntimeConversationBindingRoute', 'resolveConfiguredBindingRoute'], () => [{ cfg: { bindings: pick([undefined, [], [{ agentId: 'x', match: { channel: 'c' } }]]) }, ...bound('none') }]],
  ['conversation-runtime', ['ensureConfiguredBindingRouteReady'], () => [{ cfg: {}, bindingResolution: null }]],
];
