// Rows for models, thoughts, plans of tools and times.
import { list, pick, random, scalar } from './kit.mjs';

const tagged = () => Array.from({ length: 1 + random(6) }, () => pick(['<think>', '</think>', '<thinking>', '</ thinking >', 'words ', '\n', '<antthinking>', '</antthinking>', '<b>', '<thought>idea</thought>', '  '])).join('');
const catalog = () => list(() => ({ provider: pick(['OpenAI', 'zai', 'x']), id: pick(['m', 'M ', 'n', 'gpt']), input: pick([undefined, ['image'], ['document', 'text']]) }));
const cfg = () => ({ agents: { defaults: { model: pick([undefined, 'a/b', { primary: 'c/d' }]), models: pick([undefined, { 'openai/m': { alias: 'Quick' }, 'zai/*': {}, 'x/n': {} }]), subagents: pick([undefined, { model: 'Quick' }]), userTimezone: pick([undefined, 'Asia/Tokyo']), timeFormat: '24' }, list: pick([undefined, [{ id: 'main', subagents: pick([undefined, { model: 'p/q' }]), model: pick([undefined, 'r/s']) }]]) }, models: pick([undefined, { providers: { zai: { api: 'openai-completions', models: [{ id: ' m ', name: 'M', contextWindow: pick([5, -1]), reasoning: true, input: ['text'] }, { id: '' }, { id: 'n', compat: {} }] }, y: { models: 'x' } } }]), hooks: pick([undefined, { gmail: { model: pick(['', 'Quick', 'a/b', 'bare']) } }]) });
const choice = () => pick([undefined, '', ' p ', 'p/m', 'P/n', 'm']);
const need = () => pick([{ kind: 'always' }, { kind: 'auth', providerId: 'a' }, { kind: 'config', path: ['x', 'y'], check: pick([undefined, 'non-empty', 'available']) }, { kind: 'env', name: 'E' }, { kind: 'plugin-enabled', pluginId: 'p' }, { kind: 'context', key: 'k' }, { kind: 'context', key: 'k', equals: 1 }, { kind: 'zzz' }, {}]);
const availability = () => pick([undefined, need(), { allOf: list(need) }, { anyOf: list(need) }, { anyOf: [{ allOf: [need()] }, need()] }]);
const context = () => pick([undefined, { authProviderIds: new Set(['a']), config: { x: { y: pick(['', 'v', [], 0, {}]) } }, env: { E: pick(['', '1']) }, enabledPluginIds: new Set(['p']), values: { k: pick([1, 2, undefined]) }, isConfigValueAvailable: () => true }]);
const descriptor = () => ({ name: pick(['b', 'a', 'c']), sortKey: pick([undefined, 'z', '0']), description: 'd', inputSchema: {}, executor: pick([undefined, { kind: 'core', executorId: 'e' }, { kind: 'core', executorId: 'e' }]), availability: availability() });

export default [
  ['agent-runtime', ['splitThinkingTaggedText', 'extractThinkingFromTaggedText', 'extractThinkingFromTaggedStream', 'stripThinkingTagsFromText'], () => [tagged()]],
  ['agent-runtime', ['promoteThinkingTagsToBlocks'], () => [{ content: list(() => pick([{ type: 'text', text: tagged() }, { type: 'image' }, 'x', { type: 'thinking', thinking: 't' }])) }], (_result, [message]) => message],
  ['agent-runtime', ['stripModelSpecialTokens'], () => [pick(['', 'a<|im_end|>b', '<｜x｜> y', '`<|code|>` z', 'a <|s|> b', '<|half'])]],
  ['agent-runtime', ['findModelInCatalog'], () => [catalog(), pick(['openai', 'Z.AI', 'x']), pick(['m', 'N'])]],
  ['agent-runtime', ['findModelCatalogEntry'], () => [catalog(), { provider: pick([undefined, ' x ']), modelId: pick(['m', ' ', undefined]) }]],
  ['agent-runtime', ['modelSupportsVision', 'modelSupportsDocument'], () => [pick([undefined, {}, ...catalog()])]],
  ['agent-runtime', ['inferUniqueProviderFromCatalog'], () => [{ model: pick(['m', ' ', 'n']), catalog: catalog() }]],
  ['agent-runtime', ['inferUniqueProviderFromConfiguredModels'], () => [{ cfg: cfg(), model: pick(['m', 'n', '', 'zz']) }]],
  ['agent-runtime', ['resolveBareModelDefaultProvider'], () => [{ cfg: cfg(), catalog: catalog(), model: pick(['m', 'gpt']), defaultProvider: 'dd' }]],
  ['agent-runtime', ['buildConfiguredModelCatalog'], () => [{ cfg: cfg() }]],
  ['agent-runtime', ['legacyModelKey'], () => [pick(['openai', ' ', 'z.ai']), pick(['m', 'openai/m', ''])]],
  ['agent-runtime', ['normalizeStoredOverrideModel'], () => [{ providerOverride: choice(), modelOverride: choice() }]],
  ['agent-runtime', ['normalizeToolModelOverride'], () => [pick([' DEFAULT ', 'm', '', 3])]],
  ['agent-runtime', ['resolvePersistedOverrideModelRef', 'resolvePersistedModelRef', 'resolvePersistedSelectedModelRef'], () => [{ defaultProvider: 'dd', overrideProvider: choice(), overrideModel: choice(), runtimeProvider: choice(), runtimeModel: choice() }]],
  ['agent-runtime', ['resolveHooksGmailModel'], () => [{ cfg: cfg(), defaultProvider: 'dd' }]],
  ['agent-runtime', ['resolveSubagentConfiguredModelSelection', 'resolveSubagentSpawnModelSelection'], () => [{ cfg: { ...cfg(), models: undefined }, agentId: 'main', modelOverride: pick([undefined, 'Quick', ' o/p ']) }]],
  ['agent-runtime', ['resolveModelCatalogScope'], () => [{ cfg: cfg(), provider: pick(['zai', '']), model: pick(['m', ' ']) }]],
  ['agent-runtime', ['resolveProviderDiscoveryProviderIdsForCatalogScope'], () => [{ providerRefs: pick([undefined, [' a ', 'a']]), modelRefs: pick([undefined, ['B/m', '/x', 'y']]) }]],
  ['agent-runtime', ['evaluateToolAvailability'], () => [{ descriptor: descriptor(), context: context() }]],
  ['agent-runtime', ['buildToolPlan'], () => [{ descriptors: list(descriptor), availability: context() }]],
  ['agent-runtime', ['formatToolExecutorRef'], () => [pick([{ kind: 'core', executorId: 'e' }, { kind: 'plugin', pluginId: 'p', toolName: 't' }, { kind: 'channel', channelId: 'c', actionId: 'a' }, { kind: 'mcp', serverId: 's', toolName: 't' }])]],
  ['agent-runtime', ['toToolProtocolDescriptor'], () => [{ descriptor: descriptor() }]],
  ['agent-runtime', ['stringifyToolPayload', 'payloadTextResult'], () => [pick(['text', { a: 1 }, [1], 3, null])]],
  ['agent-runtime', ['formatUserTime'], () => [new Date(1_700_000_000_000 + random(40) * 86_000_000), pick(['UTC', 'Asia/Tokyo', 'No/Where']), pick(['12', '24'])]],
  ['agent-runtime', ['resolveUserTimezone'], () => [pick([undefined, ' UTC ', 'No/Where'])]],
  ['agent-runtime', ['appendCronStyleCurrentTimeLine'], () => [pick(['', 'text  ', 'Current time: x']), cfg(), 1_700_000_000_000]],
  ['agent-runtime', ['normalizeTimestamp'], () => [pick([null, 1_700_000_000, 1_700_000_000_000, 1.5, '1700000000', '1700000000000', '1700000000.5', '2026-01-01', 'nope', ' ', new Date(5), NaN, scalar()])]],
];
