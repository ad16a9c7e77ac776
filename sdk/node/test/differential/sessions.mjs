// Sessions: keys and routes, freshness, visibility, transcripts; agents and their identities; commands.
import { list, pick, scalar, text } from './kit.mjs';

const key = () => pick(['', 'agent:main:main', 'AGENT:Work:acp:x', 'agent:a:subagent:y', 'agent:a:cron:z', 'main', 'agent:a:discord:channel:1:thread:2', 'acp:q', 'subagent:w', undefined, null]);
const named = () => key() ?? 'main';
const agents = () => ({ defaults: { model: pick([undefined, 'p/m', { primary: 'p/m', fallbacks: ['q/n'] }]), workspace: pick([undefined, '/ws']), skills: pick([undefined, ['s', ' ']]), humanDelay: pick([undefined, { mode: 'natural', minMs: 1 }]), contextLimits: pick([undefined, { a: 1 }]) }, list: pick([undefined, [], [{ id: 'Main', default: pick([undefined, true]), model: pick([undefined, 'x/y', { primary: 'x/y' }, { fallbacks: ['z'] }]), skills: pick([undefined, ['t']]), identity: pick([undefined, { name: ' N ', emoji: '🙂' }]), humanDelay: pick([undefined, { maxMs: 9 }]), workspace: pick([undefined, '/own']), contextLimits: pick([undefined, { b: 2 }]) }, { id: 'b b' }]]) });
const cfg = () => ({ agents: agents(), messages: pick([undefined, { ackReaction: ' 👍 ', responsePrefix: pick([undefined, 'auto', 'P']), messagePrefix: pick([undefined, 'M']) }]), channels: pick([undefined, { c: { ackReaction: pick([undefined, 'x']), responsePrefix: pick([undefined, 'auto', 'C']), accounts: { w: { ackReaction: pick([undefined, '']), responsePrefix: pick([undefined, 'W']) } } } }]), bindings: pick([undefined, [{ agentId: 'main', match: { channel: 'C', accountId: 'Two' } }, { agentId: 'b', match: { channel: 'c', accountId: '*' } }, { type: 'acp', match: { channel: 'c', accountId: 'x' } }, { match: { channel: 'c', accountId: ' one ' } }]]), session: pick([undefined, { dmScope: 'per-peer', mainKey: pick([undefined, 'Home']), scope: pick([undefined, 'global']) }]), tools: { sessions: { visibility: pick([undefined, 'ALL', 'self', 'agent', 'x']) }, agentToAgent: pick([undefined, { enabled: true, allow: pick([undefined, ['main', 'w*'], ['*']]) }]) } });
const agentId = () => pick(['main', 'MAIN', 'b b', 'none', '']);
const at = () => pick([undefined, { channel: 'c' }, { channel: 'c', accountId: 'w' }]);
const command = () => ({ key: 'k', nativeName: pick([undefined, 'native']), argsParsing: pick([undefined, 'none']), argsMenu: pick([undefined, 'auto', { arg: 'b', title: 'T' }]), args: pick([undefined, [{ name: 'a', description: 'A' }, { name: 'b', description: '', choices: pick([undefined, ['x', { value: 'y', label: 'Y' }], () => ['z']]), captureRemaining: pick([undefined, true]) }]]) });
const given = () => pick([undefined, { raw: ' r s t ' }, { values: { a: ' v ', b: 3 } }, { values: { a: null } }, { raw: '', values: { b: 'q' } }]);
const allowedOnly = ({ check }) => ['agent:main:main', 'agent:main:x', 'agent:work:y', 'current'].map((one) => check(one)).map(({ allowed, status }) => [allowed, status]);

export default [
  ['routing', ['isAcpSessionKey', 'isSubagentSessionKey', 'isCronSessionKey', 'parseThreadSessionSuffix', 'normalizeMainKey', 'sanitizeAgentId'], () => [key()]],
  ['routing', ['normalizeOutboundThreadId'], () => [scalar()]],
  ['routing', ['buildGroupHistoryKey'], () => [{ channel: text(), accountId: pick([undefined, 'W w']), peerKind: 'group', peerId: text() }]],
  ['routing', ['buildOutboundBaseSessionKey'], () => [{ cfg: cfg(), agentId: agentId(), channel: 'c', accountId: 'w', peer: { kind: pick(['direct', 'group']), id: 'P' } }]],
  ['routing', ['resolveInboundLastRouteSessionKey'], () => [{ route: { lastRoutePolicy: pick(['main', 'session']), mainSessionKey: 'm' }, sessionKey: 's' }]],
  ['routing', ['listBoundAccountIds', 'resolveDefaultAgentBoundAccountId'], () => [cfg(), pick(['c', 'C', 'd', ''])]],
  ['routing', ['formatSetExplicitDefaultInstruction'], () => ['c']],
  ['routing', ['formatSetExplicitDefaultToConfiguredInstruction'], () => [{ channelKey: 'c' }]],
  ['agent-runtime', ['listAgentIds', 'resolveDefaultAgentId'], () => [cfg()]],
  ['agent-runtime', ['resolveAgentConfig', 'resolveAgentModelPrimary', 'resolveAgentEffectiveModelPrimary', 'resolveAgentModelFallbacksOverride', 'resolveAgentSkillsFilter', 'resolveAgentContextLimits', 'resolveAgentIdentity', 'resolveHumanDelayConfig', 'resolveIdentityNamePrefix', 'resolveAgentWorkspaceDir', 'resolveAgentDir'], () => [cfg(), agentId()]],
  ['agent-runtime', ['resolveAckReaction', 'resolveResponsePrefix'], () => [cfg(), agentId(), at()]],
  ['agent-runtime', ['resolveMessagePrefix'], () => [cfg(), agentId(), pick([undefined, { configured: 'c' }, { hasAllowFrom: true }, { fallback: 'f' }])]],
  ['agent-runtime', ['resolveEffectiveMessagesConfig'], () => [cfg(), agentId(), pick([undefined, { hasAllowFrom: true }, { channel: 'c', accountId: 'w' }])]],
  ['agent-runtime', ['resolveSessionAgentIds', 'resolveSessionAgentId'], () => [{ sessionKey: key() ?? undefined, config: pick([undefined, cfg()]), agentId: pick([undefined, 'Work']) }]],
  ['agent-runtime', ['resolveRunModelFallbacksOverride', 'hasConfiguredModelFallbacks'], () => [{ cfg: cfg(), agentId: pick([undefined, 'main']), sessionKey: named() }]],
  ['agent-runtime', ['resolveEffectiveModelFallbacks'], () => [{ cfg: cfg(), agentId: agentId(), hasSessionModelOverride: pick([true, false]), modelOverrideSource: pick([undefined, 'auto', 'user']) }]],
  ['agent-runtime', ['setAgentEffectiveModelPrimary'], () => [{ agents: { list: [{ id: 'main', model: 'a' }] } }, pick(['main', 'b']), 'new'], (where, [changed]) => [where, changed]],
  ['agent-runtime', ['parseModelRef'], () => [pick(['', 'm', 'p/m', ' Z.AI / m ', 'google/gemini-3-pro', '/x']), 'openai']],
  ['agent-runtime', ['resolveConfiguredModelRef'], () => [{ cfg: { agents: { defaults: { model: pick([undefined, 'a/b', { primary: 'z.ai/m' }, 'alias']), models: pick([undefined, { 'c/d': { alias: 'Alias' } }]) } } }, defaultProvider: 'openai', defaultModel: 'dm' }]],
  ['session-store-runtime', ['canonicalizeMainSessionAlias'], () => [{ cfg: cfg(), agentId: agentId(), sessionKey: pick(['main', 'home', 'agent:main:home', 'agent:b-b:main', 'other', ' main ']) }]],
  ['session-store-runtime', ['resolveSessionResetType'], () => [{ sessionKey: named(), isGroup: pick([undefined, true]), isThread: pick([undefined, true]) }]],
  ['session-store-runtime', ['resolveSessionResetPolicy'], () => [{ sessionCfg: pick([undefined, { idleMinutes: pick([undefined, 5.5, -1]), reset: pick([undefined, { mode: 'idle', idleMinutes: pick([undefined, 3]) }, { atHour: 30 }]), resetByType: pick([undefined, { dm: { mode: 'daily', atHour: 2.9 }, group: { idleMinutes: 9 } }]) }]), resetType: pick(['direct', 'group', 'thread']), resetOverride: pick([undefined, undefined, { mode: 'idle' }]) }]],
  ['session-store-runtime', ['evaluateSessionFreshness'], () => [{ updatedAt: pick([0, 1_799_999_000_000, NaN]), sessionStartedAt: pick([undefined, 1_799_990_000_000]), lastInteractionAt: pick([undefined, 1_799_999_990_000, 2e15]), now: 1_800_000_000_000, policy: { mode: pick(['daily', 'idle']), atHour: pick([undefined, 4, 23]), idleMinutes: pick([undefined, 0, 1, 600]) } }]],
  ['session-store-runtime', ['resolveThreadFlag'], () => [{ sessionKey: key(), messageThreadId: pick([undefined, null, 0]), threadLabel: pick([undefined, ' ', 'l']) }]],
  ['session-store-runtime', ['resolveSessionTranscriptPathInDir'], () => [pick(['abc', ' x-1 ', '../x', '']), '/nowhere/sessions', pick([undefined, 3, 'a/b'])]],
  ['session-transcript-hit', ['extractTranscriptIdentityFromSessionsMemoryHit', 'extractTranscriptStemFromSessionsMemoryHit'], () => [pick(['sessions/a.jsonl', 'sessions/Work/b.jsonl', 'c.md', 'sessions\\w\\d.jsonl', 'e.txt', 'sessions/f.jsonl.reset.2026-01-02T03-04-05.678Z', 'sessions/m/g.jsonl.deleted.2026-01-02T03-04-05.678Z', '.jsonl'])]],
  ['session-transcript-hit', ['resolveTranscriptStemToSessionKeys'], () => [{ store: { one: { sessionId: 'a' }, two: { sessionFile: '/x/b.jsonl' }, three: { sessionId: 'b' } }, stem: pick(['a', 'b', 'c']), archivedOwnerAgentId: pick([undefined, 'Work']) }]],
  ['session-visibility', ['resolveSessionToolsVisibility', 'resolveSandboxSessionToolsVisibility'], () => [cfg()]],
  ['session-visibility', ['resolveEffectiveSessionToolsVisibility'], () => [{ cfg: cfg(), sandboxed: pick([true, false]) }]],
  ['session-visibility', ['createAgentToAgentPolicy'], () => [cfg()], (policy) => [policy.enabled, ...['main', 'work', 'x'].flatMap((id) => [policy.matchesAllow(id), policy.isAllowed('main', id)])]],
  ['session-visibility', ['createSessionVisibilityChecker'], () => [{ action: pick(['list', 'history']), requesterSessionKey: 'agent:main:main', visibility: pick(['self', 'tree', 'agent', 'all']), a2aPolicy: { enabled: pick([true, false]), isAllowed: (_from, to) => to === 'work' }, spawnedKeys: pick([undefined, new Set(['agent:work:y', 'agent:main:x'])]) }], allowedOnly],
  ['native-command-registry', ['serializeCommandArgs', 'buildCommandTextFromArgs'], () => [command(), given()]],
  ['native-command-registry', ['parseCommandArgs'], () => [command(), pick([undefined, ' ', 'one', 'one two three'])]],
  ['native-command-registry', ['resolveCommandArgMenu'], () => [{ command: command(), args: given(), cfg: {} }]],
  ['native-command-registry', ['formatCommandArgMenuTitle'], () => [{ command: command(), menu: { arg: { name: 'a', description: pick(['', 'd']), choices: pick([undefined, () => []]) }, choices: list(() => ({ label: pick(['L', ' ', 'x'.repeat(90)]) })), title: pick([undefined, 'T']) } }]],
  ['native-command-config-runtime', ['isNativeCommandsExplicitlyDisabled', 'resolveNativeCommandsEnabled', 'resolveNativeSkillsEnabled'], () => [{ providerId: pick(['nobody', '']), providerSetting: pick([undefined, true, false, 'auto']), globalSetting: pick([undefined, true, false, 'auto']), autoDefault: pick([undefined, true, false]) }]],
];
