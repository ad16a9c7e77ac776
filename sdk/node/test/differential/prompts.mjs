// Rows for approval prompts, bindings of accounts, hosted media, secrets of a setup and custom commands.
import { Fresh, later, pick } from './kit.mjs';

const maybe = (value) => pick([undefined, value]);
const decisions = () => pick([undefined, [], ['deny', 'allow-once'], ['allow-always']]);
const command = () => ({ id: 'abcdefghij', expiresAtMs: 61_000, request: { command: pick(['ls', 'a ```x``` b']), ask: maybe('always'), agentId: maybe('main'), cwd: pick([undefined, '/home/bob/x']), host: maybe('node'), nodeId: maybe('n1'), envKeys: pick([undefined, [], ['A', 'B']]), sessionKey: maybe('agent:main:x'), warningText: maybe(' careful '), commandAnalysis: pick([undefined, { warningLines: [' a ', ''] }]) } });
const plugin = () => ({ id: 'plugin:12345678', expiresAtMs: 61_000, request: { title: 'T', description: pick([undefined, 'D']), severity: pick([undefined, 'info', 'critical']), toolName: maybe('t'), pluginId: maybe('p'), agentId: maybe('a'), allowedDecisions: decisions() } });
/** Words of the policy are ours, and the message by hand too. */
const own = ({ manualFallbackPayload, reactionPayload, ...payload }) =>
  reactionPayload ? { ...own(reactionPayload), byHand: { ...manualFallbackPayload, text: undefined } } : { ...payload, text: payload.text.replace(/\n\n(?:Allow Always is unavailable|The policy asks).*/, '') };

const bindings = () => [{ cfg: { session: { threadBindings: { idleHours: pick([0, 1, undefined]), maxAgeHours: pick([undefined, 2]) } } }, channel: 'c', accountId: pick([undefined, ' Work ']), stateKey: Symbol('state'), toStoredTargetKind: (kind) => `stored ${kind}`, toSessionBindingTargetKind: (kind) => kind.slice(7) }];
const stable = (value) => JSON.parse(JSON.stringify(value ?? null, (key, item) => (['boundAt', 'expiresAt', 'lastActivityAt'].includes(key) ? typeof item : item)));
const used = (manager) => {
  const bound = manager.bindConversation({ conversationId: ' x ', targetKind: 'subagent', targetSessionKey: 'agent:ops:main', metadata: { label: ' L ', boundBy: 5 } });
  const again = manager.bindConversation({ conversationId: 'x', targetKind: 'acp', targetSessionKey: 'agent:ops:main' });
  const other = manager.bindConversation({ conversationId: ' ', targetKind: 'acp', targetSessionKey: 'k' });
  const found = [manager.getByConversationId('x'), manager.getByConversationId('y'), manager.listBySessionKey('agent:ops:main'), manager.touchConversation('x', 7)?.lastActivityAt, manager.touchConversation('y')];
  const removed = [manager.unbindBySessionKey('agent:ops:main'), manager.unbindConversation('x')];
  manager.stop();
  return stable([Object.keys(manager), bound, again, other, found, removed]);
};

const store = () => {
  const rows = new Map();
  return { rows, register: async (key, value) => void rows.set(key, { key, value, createdAt: rows.size }), lookup: async (key) => rows.get(key)?.value, delete: async (key) => rows.delete(key), entries: async () => [...rows.values()], clear: async () => rows.clear() };
};
const hosted = () => {
  const [meta, gone] = [{ id: 'i', routePath: '/r', token: 't', expiresAt: pick([1, 9e15, NaN]), chunkCount: 2, byteLength: 4 }, pick([false, true])];
  return [new Fresh(() => {
    const [metadataStore, chunkStore] = [store(), store()];
    metadataStore.rows.set('media:i:meta', { key: 'media:i:meta', value: meta, createdAt: 0 });
    for (const index of gone ? [0] : [0, 1]) chunkStore.rows.set(`media:i:chunk:000${index}`, { value: { id: 'i', index, dataBase64: 'YWI=' } });
    return { metadataStore, chunkStore, ttlMs: 1000, resolveExpiresAtMs: () => 5 };
  })];
};
const read = async (kept, [{ metadataStore, chunkStore }]) => {
  const found = await kept.read('i');
  return [found && { ...found, buffer: found.buffer.toString() }, await kept.read('none'), [...metadataStore.rows.keys()], [...chunkStore.rows.keys()]];
};

const asked = () => {
  const [yes, typed] = [pick([true, false]), pick([' secret ', ' '])];
  return [{ cfg: { a: 1 }, prompter: { confirm: async () => yes, text: async () => typed }, providerHint: 'p', credentialLabel: 'token', secretInputMode: 'plaintext', accountConfigured: pick([true, false]), hasConfigToken: pick([true, false]), canUseEnv: pick([true, false]), allowEnv: pick([true, false]), envValue: pick([undefined, ' ', ' e ']), envPrompt: 'e', keepPrompt: 'k', inputPrompt: 'i', applyUseEnv: (cfg) => ({ ...cfg, env: 1 }), applySet: (cfg, value, resolved) => ({ ...cfg, value, resolved }) }];
};
const commands = () => pick([undefined, null, [{}, { command: '/A-b', description: ' d ' }, { command: 'a_b', description: 'x' }, { command: 'help', description: 'x' }, { command: 'ä', description: 'x' }, { command: 'y' }, null]]);

export default [
  ['setup', ['promptSingleChannelSecretInput', 'runSingleChannelSecretStep'], asked],
  ['telegram-command-config', ['normalizeTelegramCommandName', 'normalizeTelegramCommandDescription'], () => [pick(['', ' /A-b ', '//x', 'Y_z'])]],
  ['telegram-command-config', ['resolveTelegramCustomCommands'], () => [{ commands: commands(), reservedCommands: pick([undefined, new Set(['help'])]), checkReserved: maybe(false), checkDuplicates: maybe(false) }]],
  ['conversation-runtime', ['buildPluginBindingApprovalCustomId'], () => [pick(['id', 'a b%;:c', 'ä']), pick(['allow-once', 'allow-always', 'deny'])]],
  ['conversation-runtime', ['parsePluginBindingApprovalCustomId'], () => [pick(['pluginbind:id:o', ' pluginbind:a%20b%25%3A:a ', 'pluginbind:%:d', 'pluginbind:a:b:d', 'pluginbind::o', 'pluginbind:x:z', 'x:y:o', 'pluginbind: :o'])]],
  ['thread-bindings-runtime', ['createAccountScopedConversationBindingManager'], bindings, used],
  ...(later
    ? [
        ['approval-reaction-runtime', ['buildApprovalReactionPromptPayloadForRequest', 'buildApprovalReactionPendingContentForRequest'], () => [{ request: pick([command(), plugin()]), nowMs: 1000 }], own],
        ['outbound-media', ['createHostedOutboundMediaStore'], hosted, read],
      ]
    : []),
];
