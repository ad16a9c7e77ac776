// Rows for migration plans, versions of skills, hook names and network policies.
import { pick, scalar } from './kit.mjs';

const status = () => pick(['planned', 'migrated', 'skipped', 'conflict', 'error']);
const item = () => ({ id: 'i', kind: 'config', status: status(), reason: pick([undefined, 'r']), sensitive: pick([undefined, true]), details: pick([undefined, { path: ['a', 'b'], value: { c: 1 } }, { path: ['a', 3] }, { path: 'x' }]) });
const config = () => pick([{}, { a: 1 }, { a: { b: 2 } }, { a: { b: { c: 3, d: [1] } } }]);
const path = () => pick([['a'], ['a', 'b'], [], ['x', 'y']]);
const value = () => pick([1, { c: 9 }, { e: { f: 1 } }, [2], 'text', null]);

export default [
  ['migration', ['createMigrationItem', 'markMigrationItemConflict', 'markMigrationItemError', 'markMigrationItemSkipped', 'applyMigrationManualItem'], () => [item(), 'why']],
  ['migration', ['createMigrationItem'], () => [{ id: 'x', kind: 'file' }]],
  ['migration', ['createMigrationManualItem'], () => [{ id: 'x', source: 's', message: 'm', recommendation: 'do it' }]],
  ['migration', ['createMigrationConfigPatchItem'], () => [{ id: 'x', target: 't', path: path(), value: value(), message: 'm', conflict: pick([undefined, true]), reason: pick([undefined, 'own']), details: pick([undefined, { more: 1 }]) }]],
  ['migration', ['readMigrationConfigPatchDetails'], () => [item()]],
  ['migration', ['readMigrationConfigPath'], () => [config(), path()]],
  ['migration', ['hasMigrationConfigPatchConflict'], () => [config(), path(), value()]],
  ['migration', ['mergeMigrationConfigValue'], () => [pick([config(), value()]), pick([config(), value()])]],
  ['migration', ['writeMigrationConfigPath'], () => [config(), path(), value()], (_result, [root]) => root],
  ['migration', ['summarizeMigrationItems'], () => [[item(), item(), item()]]],
  ['migration', ['redactMigrationValue'], () => [pick([{ apiKey: 'k', token: { source: 'env', id: 'T' }, nested: [{ password: 1, name: 'n' }], text: 'plain' }, scalar(), { 'bot-token': 'x', path: '/a' }])]],
  ['migration', ['applyMigrationConfigPatchItem'], () => {
    const current = config();
    return [{ overwrite: pick([true, false]), runtime: pick([undefined, { config: { current: () => current, mutateConfigFile: async ({ mutate }) => mutate(structuredClone(current)) } }]) }, item()];
  }],
  ['skills-runtime', ['shouldRefreshSnapshotForVersion'], () => [pick([undefined, 0, 5, 'x']), pick([undefined, 0, 4, 5, 6])]],
  ['plugin-runtime', ['isPluginHookName', 'isPromptInjectionHookName', 'isConversationHookName'], () => [pick(['agent_end', 'before_prompt_build', 'llm_input', 'x', 5])]],
  ['plugin-runtime', ['stripPromptMutationFieldsFromLegacyHookResult'], () => [pick([undefined, { systemPrompt: 'x' }, { prependContext: 'a', modelOverride: 'm' }, 'text'])]],
  ['security-runtime', ['isPrivateNetworkAllowedByPolicy'], () => [pick([undefined, {}, { allowPrivateNetwork: true }, { dangerouslyAllowPrivateNetwork: pick([true, 'x']) }])]],
  ['security-runtime', ['resolvePathWithinRoot'], () => [{ rootDir: '/r', requestedPath: pick(['a', ' ', '../x', '/r/b', '/etc', '.']), scopeLabel: 'the root', defaultFileName: pick([undefined, 'd']) }], (result) => (result.ok ? result : { ok: false })],
  ['host-runtime', ['normalizeScpRemoteHost'], () => [pick([undefined, ' host ', 'me@host', '-x', 'a@b@c', 'me@-x', '[::1]', 'a:b', 'a/b', 'u@[fe80::1]', 'a b', '@h', 'u@'])]],
  ['approval-runtime', ['matchesApprovalRequestSessionFilter'], () => [pick(['agent:main:tele:1', 'x']), pick([[], ['tele'], ['^x$', 'none'], ['(a+)+$'], ['[']])]],
  ['hook-runtime', ['toPluginInboundClaimContext', 'toPluginInboundClaimEvent'], () => [{ from: 'f', to: pick([undefined, 'tele:12', '12', 'channel:7']), originatingTo: pick([undefined, 'tele:9']), conversationId: pick([undefined, 'c1']), channelId: 'tele', content: 'x', senderId: 's', isGroup: true, messageId: 'm', threadId: 4, runId: pick([undefined, 'r']), mediaPaths: ['/a'] }, pick([undefined, { wasMentioned: true }])]],
  ['runtime-doctor', ['removePluginFromConfig'], () => [{
    other: 1, plugins: pick([undefined, {}, {
      entries: pick([undefined, { p: {} }, { p: {}, q: {} }]), installs: pick([undefined, { p: { source: 'path', sourcePath: '/no/p' } }, { p: { source: 'npm' }, q: {} }]), allow: pick([undefined, ['p'], ['p', 'q']]),
      deny: pick([undefined, [], ['p']]), load: pick([undefined, { paths: ['/no/p'] }, { paths: ['/no/p', '/no/q'], x: 1 }]), slots: pick([undefined, {}, { memory: 'p' }, { contextEngine: 'p', memory: 'q' }]),
    }]), channels: pick([undefined, { p: {}, defaults: {} }, { p: {} }, { z: {} }]),
  }, 'p', pick([undefined, { channelIds: ['z', 'defaults', 'z'] }, { channelIds: [] }])]],
  ['setup-tools', ['detectBinary'], () => [pick(['node', 'no-such-program-here', '', '/bin/sh', './none', 'a;b'])]],
];
