// Rows for access, allow lists, policies, targets and configuration of channels.
import { list, pick, random, scalar, text } from './kit.mjs';

const flag = () => pick([true, false, undefined]);
const sender = () => pick(['bob', 'eve', '12', '*', ' Bob ', '@User']);
const senders = () => pick([undefined, [], list(sender), list(() => pick([...['bob', '*', 'eve'], 12]))]);
const policy = () => pick([undefined, 'open', 'allowlist', 'disabled', 'pairing']);
const groupPolicy = () => pick([undefined, 'open', 'allowlist', 'disabled']);
const allowed = (entries) => entries.includes('bob') || entries.includes('*');
const account = () => pick([{}, { enabled: false, name: 'N' }, { dmPolicy: 'open', allowFrom: ['*'] }, { dm: { policy: 'open', allowFrom: ['a'] } }, { dm: { policy: 'allowlist' }, dmPolicy: 'open', allowFrom: ['b'] }, { dm: { enabled: true, allowFrom: ['a'] }, allowFrom: ['a'], dmPolicy: 'pairing' }, { groups: { g: { requireMention: false } }, configWrites: false }, { dangerouslyAllowNameMatching: true }, { allowFrom: [' x ', 'x'], groupAllowFrom: ['y'] }]);
const section = () => ({ ...account(), ...pick([{}, { accounts: { default: account(), Work: account() } }, { accounts: { a: account() }, defaultAccount: 'a' }, { groupPolicy: 'allowlist', groups: { '*': {} } }]) });
const config = () => ({ channels: { c: section(), defaults: { groupPolicy: groupPolicy() } }, accessGroups: { ops: { type: 'message.senders', members: { '*': ['bob'], c: ['eve'] } }, other: { type: 'x' } } });
const accountId = () => pick([undefined, 'default', 'work', 'Work', 'a', ' other ']);
const warning = () => ({ surface: 'S', openScope: 'any member', groupPolicyPath: 'p', groupAllowFromPath: 'q', routeAllowlistPath: 'r', routeScope: 'room', openBehavior: 'b', remediation: 'm', mentionGated: flag(), groupPolicy: groupPolicy() });
const groupEntries = () => ({ 'id:bob': 1, '@bob': 2, 'username:bob': 3, 'channel:c:bob': 4, '*': 5, 'e164:+1': 6, 'name:Bob': 7, x: null });
const lists = () => ({ isGroup: pick([true, false]), dmPolicy: policy(), groupPolicy: groupPolicy(), allowFrom: senders(), groupAllowFrom: senders(), storeAllowFrom: senders(), groupAllowFromFallbackToAllowFrom: flag(), isSenderAllowed: allowed });
const prefixes = { chatIdPrefixes: ['chat_id:', 'chat:'], chatGuidPrefixes: ['guid:'], chatIdentifierPrefixes: ['ident:'] };
const target = () => pick(['chat:12', 'chat_id: x', 'guid:g', 'guid: ', 'ident:I', 'sms:+1', 'sms:chat:5', 'sms:', 'bob', '']);
const prefixed = () => {
  const trimmed = target();
  return { trimmed, lower: trimmed.toLowerCase(), ...prefixes, servicePrefixes: [{ prefix: 'sms:', service: 'sms' }], parseTarget: (rest) => ({ parsed: rest }), parseAllowTarget: (rest) => ({ parsed: rest }), isChatTarget: (rest) => rest.startsWith('chat') };
};
const parseAllowTarget = (entry) => (entry.startsWith('chat:') ? { kind: 'chat_id', chatId: Number(entry.slice(5)) } : { kind: 'handle', handle: entry });
const resolved = () => list(() => pick([{ input: 'bob', resolved: true, id: '1' }, { input: 'eve', resolved: false }, { input: 'x', resolved: true }, { input: 'y', resolved: true, id: '2', name: 'Y', note: 'n', more: 1 }]));
const resolvedMap = () => new Map([['bob', { input: 'bob', resolved: true, id: '1' }], ['eve', { resolved: false }]]);
const pattern = { mentionPattern: /^<@(\d+)>$/, prefixes: [{ prefix: 'user:', kind: 'user' }, { prefix: 'channel:', kind: 'channel' }], atUserPattern: /^\d+$/, atUserErrorMessage: 'numbers only', kind: 'user' };
const raw = () => pick(['<@12>', 'user:5', 'user: ', 'channel:abc', '@12', '@bob', 'x']);
const candidate = () => ({ value: sender(), source: pick(['id', 'name']) });
const record = (make) => ({ a: make(), b: null, c: make() });
const overrides = { label: (key) => `k ${key}`, outerLabel: (key) => `o ${key}`, innerLabel: (outer, inner) => `${outer}/${inner}`, resolveEntries: (value) => value.users, resolveOuterEntries: (value) => value.users, resolveChildren: (value) => value.rooms, resolveInnerEntries: (value) => value.users };
const users = () => pick([{}, { users: [] }, { users: ['bob', 5, ''] }, { users: ['bob', '*', ' eve '], rooms: { r: { users: ['z'] }, s: null } }]);
const accessParams = () => ({ accessGroups: config().accessGroups, cfg: pick([config(), undefined]), allowFrom: pick([undefined, list(() => pick(['accessGroup:ops', 'accessGroup: none ', 'accessGroup:other', 'bob']))]), channel: 'c', accountId: 'a', senderId: sender(), isSenderAllowed: pick([undefined, (id, entries) => entries.includes(id)]), resolveMembership: pick([undefined, async ({ name }) => name === 'other', async () => { throw new Error('x'); }]) });

/** The functions of an adapter, called. */
const called = (calls) => (adapter) => Object.fromEntries(Object.entries(calls).map(([name, args]) => [name, typeof adapter[name] === 'function' ? adapter[name](...args) : 'none']));
const cfg = { channels: { c: { token: 't', allowFrom: ['a', 1], accounts: { Work: { allowFrom: ['w'] } }, extra: 1 }, d: {} }, x: 1 };
const adapterCalls = { listAccountIds: [cfg], defaultAccountId: [cfg], setAccountEnabled: [{ cfg, accountId: 'default', enabled: false }], deleteAccount: [{ cfg, accountId: 'default' }], resolveAllowFrom: [{ cfg, accountId: 'work' }], formatAllowFrom: [{ allowFrom: ['A', 2] }], resolveDefaultTo: [{ cfg }] };
const adapterParams = () => ({ sectionKey: 'c', listAccountIds: () => ['default'], resolveAccount: (value) => value.channels.c, defaultAccountId: () => 'default', resolveAllowFrom: (entry) => entry.allowFrom, formatAllowFrom: (allowFrom) => allowFrom.map(String), resolveDefaultTo: pick([undefined, () => ' to ']), deleteMode: pick([undefined, 'clear-fields']), clearBaseFields: ['token', 'gone'], preserveSectionOnDefaultDelete: flag() });
const changed = (result, [params]) => [result, params.entry, params.changes];
const dmEntry = () => ({ entry: structuredClone(account()), mode: pick(['topOnly', 'topOrNested', 'nestedOnly', undefined]), pathPrefix: 'channels.c', changes: [], allowFrom: list(), reason: 'why', promoteAllowFrom: flag() });
const edit = { cfg: {}, accountId: 'x', scope: 'dm', action: 'add', entry: ' bob ' };
const edited = (adapter, [params]) => ['dm', 'group', 'all'].flatMap((scope) => ['add', 'remove'].map((action) => {
  const parsedConfig = structuredClone(params.start);
  return [adapter.supportsScope({ scope }), adapter.applyConfigEdit({ ...edit, parsedConfig, scope, action, accountId: params.at }), parsedConfig];
}));

export default [
  ['access-groups', ['resolveAccessGroupAllowFromState', 'resolveAccessGroupAllowFromMatches', 'expandAllowFromWithAccessGroups'], () => [accessParams()]],
  ['account-core', ['listConfiguredAccountIds'], () => [{ accounts: pick([undefined, { A: {}, '': {}, a: {} }]), normalizeAccountId: (id) => id.toLowerCase() }]],
  ['account-core', ['normalizeE164'], () => [pick(['+49 (151) 23', 'tel:+1-2', '0049', 'whatsapp:12', 'x', '1+2'])]],
  ['allow-from', ['resolveAllowlistMatchByCandidates'], () => [{ allowList: list(sender), candidates: list(candidate) }]],
  ['allow-from', ['resolveAllowlistMatchSimple'], () => [{ allowFrom: list(() => pick([sender(), 12])), senderId: pick(['BOB', '12', '', ' eve ']), senderName: pick([undefined, 'Eve', '']), allowNameMatching: flag() }]],
  ['allow-from', ['formatAllowlistMatchMeta'], () => [pick([undefined, null, { matchKey: 'a', matchSource: 'id' }])]],
  ['allow-from', ['formatNormalizedAllowFromEntries'], () => [{ allowFrom: list(scalar), normalizeEntry: (entry) => pick([entry.toLowerCase()]) || undefined }]],
  ['allow-from', ['isNormalizedSenderAllowed'], () => [{ senderId: pick(['bob', 12, '', ' ']), allowFrom: list(() => pick([sender(), 12, 'tg:bob'])), stripPrefixRe: pick([undefined, /^tg:/i]) }]],
  ['allow-from', ['isSenderIdAllowed'], () => [{ entries: ['bob'], hasEntries: flag(), hasWildcard: flag() }, pick([undefined, 'bob', 'eve']), flag()]],
  ['allow-from', ['firstDefined'], () => list(scalar)],
  ['allow-from', ['mergeAllowlist'], () => [{ existing: pick([undefined, list()]), additions: list() }]],
  ['allow-from', ['canonicalizeAllowlistWithResolvedIds'], () => [{ existing: senders(), resolvedMap: resolvedMap() }]],
  ['allow-from', ['buildAllowlistResolutionSummary', 'mapBasicAllowlistResolutionEntries'], () => [resolved(), pick([undefined, { formatUnresolved: (entry) => `?${entry.input}` }])], (out) => (out.resolvedMap ? { ...out, resolvedMap: [...out.resolvedMap] } : out)],
  ['allow-from', ['patchAllowlistUsersInConfigEntries'], () => [{ entries: record(users), resolvedMap: resolvedMap(), strategy: pick([undefined, 'merge', 'canonicalize']) }]],
  ['allow-from', ['addAllowlistUserEntriesFromConfigEntry'], () => [new Set(), pick([users(), scalar()])], (_out, [set]) => [...set]],
  ['allow-from', ['mergeDmAllowFromSources'], () => [{ allowFrom: senders(), storeAllowFrom: senders(), dmPolicy: policy() }]],
  ['allow-from', ['resolveGroupAllowFromSources'], () => [{ allowFrom: senders(), groupAllowFrom: senders(), fallbackToAllowFrom: flag() }]],
  ['allow-from', ['isAllowedParsedChatSender'], () => [{ allowFrom: list(() => pick(['bob', '*', 'chat:5', 'chat:6'])), sender: pick(['BOB', 'eve']), chatId: pick([5, undefined, null]), allowConversationTargets: true, normalizeSender: (id) => id.toLowerCase(), parseAllowTarget }]],
  ['allowlist-config-edit', ['buildDmGroupAccountAllowlistAdapter', 'buildLegacyDmAccountAllowlistAdapter'], () => [{ channelId: 'c', normalize: ({ values }) => values.map((value) => value.trim().toLowerCase()).filter(Boolean), start: config(), at: accountId() }], edited],
  ['allowlist-config-edit', ['collectAllowlistOverridesFromRecord', 'collectNestedAllowlistOverridesFromRecord'], () => [{ record: pick([undefined, record(users)]), ...overrides }]],
  ['allowlist-config-edit', ['readConfiguredAllowlistEntries'], () => [senders()]],
  ['allowlist-config-edit', ['resolveDmGroupAllowlistConfigPaths', 'resolveLegacyDmAllowlistConfigPaths'], () => [pick(['dm', 'group', 'all'])]],
  ['channel-config-helpers', ['createTopLevelChannelConfigAdapter', 'createHybridChannelConfigAdapter', 'createTopLevelChannelConfigBase', 'createHybridChannelConfigBase'], () => [adapterParams()], called(adapterCalls)],
  ['channel-config-helpers', ['resolveChannelDmAccess', 'resolveChannelDmPolicy', 'resolveChannelDmAllowFrom'], () => [{ account: pick([undefined, null, account()]), parent: pick([undefined, account()]), mode: pick([undefined, 'topOnly', 'topOrNested', 'nestedOnly']), defaultPolicy: policy() }]],
  ['channel-config-helpers', ['normalizeChannelDmPolicy'], () => [pick([scalar(), policy()])]],
  ['channel-config-helpers', ['setCanonicalDmAllowFrom', 'ensureOpenDmPolicyAllowFromWildcard', 'normalizeLegacyDmAliases'], () => [dmEntry()], changed],
  ['channel-config-writes', ['resolveChannelConfigWrites'], () => [{ cfg: config(), channelId: pick(['c', 'd', undefined]), accountId: accountId() }]],
  ['channel-config-writes', ['authorizeConfigWrite'], () => [{ cfg: config(), allowBypass: flag(), origin: pick([undefined, { channelId: 'c', accountId: accountId() }, {}]), target: pick([undefined, { kind: 'global' }, { kind: 'ambiguous', scopes: [] }, { kind: 'channel', scope: { channelId: 'c' } }, { kind: 'account', scope: { channelId: 'c', accountId: 'work' } }]) }]],
  ['channel-config-writes', ['canBypassConfigWritePolicy'], () => [{ channel: pick(['webchat', ' WebChat ', 'c', undefined]), gatewayClientScopes: pick([undefined, ['operator.admin'], ['x']]) }]],
  ['channel-policy', ['buildOpenGroupPolicyRestrictSendersWarning', 'buildOpenGroupPolicyConfigureRouteAllowlistWarning', 'collectOpenGroupPolicyRestrictSendersWarnings'], () => [warning()]],
  ['channel-policy', ['collectOpenGroupPolicyRouteAllowlistWarnings'], () => [{ groupPolicy: groupPolicy(), routeAllowlistConfigured: flag(), restrictSenders: warning(), noRouteAllowlist: warning() }]],
  ['channel-policy', ['collectOpenGroupPolicyConfiguredRouteWarnings'], () => [{ groupPolicy: groupPolicy(), routeAllowlistConfigured: flag(), configureRouteAllowlist: warning(), missingRouteAllowlist: warning() }]],
  ['channel-policy', ['collectAllowlistProviderRestrictSendersWarnings'], () => [{ ...warning(), cfg: config(), providerConfigPresent: flag(), configuredGroupPolicy: groupPolicy() }]],
  ['channel-policy', ['createAllowlistProviderRestrictSendersWarningCollector', 'createAllowlistProviderRouteAllowlistWarningCollector', 'createOpenProviderConfiguredRouteWarningCollector'], () => {
    const [present, route, own] = [flag(), flag(), groupPolicy()];
    return [{ ...warning(), providerConfigPresent: () => present, resolveGroupPolicy: () => own, resolveRouteAllowlistConfigured: () => route, restrictSenders: warning(), noRouteAllowlist: warning(), configureRouteAllowlist: warning(), missingRouteAllowlist: warning() }];
  }, (collect) => collect({ cfg: config(), account: {} }) && ['open', 'disabled', undefined].map((value) => collect({ cfg: { channels: { defaults: { groupPolicy: value } } }, account: {} }))],
  ['channel-policy', ['resolveDmGroupAccessWithLists', 'resolveEffectiveAllowFromLists'], () => [lists()]],
  ['channel-policy', ['resolveDmGroupAccessWithCommandGate'], () => [{ ...lists(), command: pick([undefined, { useAccessGroups: flag(), allowTextCommands: flag(), hasControlCommand: flag() }]) }]],
  ['channel-policy', ['resolveOpenDmAllowlistAccess'], () => [{ effectiveAllowFrom: list(sender), isSenderAllowed: allowed }]],
  ['channel-policy', ['resolveSenderScopedGroupPolicy'], () => [{ groupPolicy: groupPolicy(), groupAllowFrom: list() }]],
  ['channel-policy', ['evaluateGroupRouteAccessForPolicy'], () => [{ groupPolicy: groupPolicy(), routeAllowlistConfigured: flag(), routeMatched: flag(), routeEnabled: flag() }]],
  ['channel-policy', ['evaluateSenderGroupAccessForPolicy'], () => [{ groupPolicy: groupPolicy(), providerMissingFallbackApplied: flag(), groupAllowFrom: list(sender), senderId: 'bob', isSenderAllowed: (id, entries) => entries.includes(id) }]],
  ['group-access', ['evaluateSenderGroupAccess'], () => [{ providerConfigPresent: flag(), configuredGroupPolicy: groupPolicy(), defaultGroupPolicy: groupPolicy(), groupAllowFrom: list(sender), senderId: 'bob', isSenderAllowed: (id, entries) => entries.includes(id) }]],
  ['group-access', ['evaluateMatchedGroupAccessForPolicy'], () => [{ groupPolicy: groupPolicy(), allowlistConfigured: flag(), allowlistMatched: flag(), requireMatchInput: flag(), hasMatchInput: flag() }]],
  ['channel-policy', ['resolveToolsBySender'], () => [{ toolsBySender: pick([undefined, {}, groupEntries(), Object.fromEntries(Object.entries(groupEntries()).slice(random(4)))]), messageProvider: pick([undefined, 'c', ' C ']), senderId: pick([undefined, 'bob', '@bob', 'eve']), senderName: pick([undefined, 'Bob']), senderUsername: pick([undefined, '@BOB']), senderE164: pick([undefined, '+1']) }]],
  ['channel-policy', ['resolveChannelGroupToolsPolicy'], () => [{ cfg: { channels: { c: { groups: { g: pick([{}, { tools: { allow: ['a'] } }, { toolsBySender: { 'id:bob': { deny: ['x'] } } }]), '*': pick([{}, { tools: { allow: ['w'] } }, { toolsBySender: { '*': { allow: ['q'] } } }]) } } } }, channel: 'c', groupId: pick(['g', 'G', 'h', undefined]), groupIdCandidates: pick([undefined, ['g']]), groupIdCaseInsensitive: flag(), senderId: pick(['bob', 'eve']) }]],
  ['channel-policy', ['normalizeAllowFromList'], () => [pick([senders(), scalar()])]],
  ['command-gating', ['resolveControlCommandGate'], () => [{ useAccessGroups: flag(), authorizers: list(() => ({ configured: flag(), allowed: flag() })), allowTextCommands: flag() ?? true, hasControlCommand: flag() ?? false, modeWhenAccessGroupsOff: pick([undefined, 'deny', 'configured']) }]],
  ['command-gating', ['resolveDualTextControlCommandGate'], () => [{ useAccessGroups: flag(), primaryConfigured: flag(), primaryAllowed: flag(), secondaryConfigured: flag(), secondaryAllowed: flag(), hasControlCommand: flag() ?? true }]],
  ['dangerous-name-runtime', ['resolveDangerousNameMatchingEnabled'], () => [{ providerConfig: pick([undefined, null, account()]), accountConfig: pick([undefined, null, account()]) }]],
  ['direct-dm-guard-policy', ['createDirectDmPreCryptoGuardPolicy'], () => [pick([undefined, {}, { maxFutureSkewSec: 5, rateLimit: { windowMs: 7 } }])]],
  ['channel-targets', ['parseMentionPrefixOrAtUserTarget', 'parseTargetMention', 'parseTargetPrefixes'], () => [{ raw: raw(), ...pattern }]],
  ['channel-targets', ['buildMessagingTarget', 'normalizeTargetId'], () => ['user', text(), 'raw']],
  ['channel-targets', ['requireTargetKind'], () => [{ platform: 'P', kind: 'user', target: pick([undefined, { kind: 'user', id: '1' }, { kind: 'channel', id: '2' }]) }]],
  ['channel-targets', ['normalizeChannelSlug'], () => [text()]],
  ['channel-targets', ['resolveNestedAllowlistDecision'], () => [{ outerConfigured: flag() ?? false, outerMatched: flag() ?? false, innerConfigured: flag() ?? false, innerMatched: flag() ?? false }]],
  ['channel-targets', ['parseChatTargetPrefixesOrThrow', 'parseChatAllowTargetPrefixes', 'resolveServicePrefixedTarget', 'resolveServicePrefixedChatTarget', 'resolveServicePrefixedAllowTarget', 'resolveServicePrefixedOrChatAllowTarget'], () => [prefixed()]],
  ['channel-targets', ['resolveTargetsWithOptionalToken'], () => [{ token: pick([undefined, ' ', 't']), inputs: list(), missingTokenNote: 'n', resolveWithToken: async ({ inputs }) => inputs, mapResolved: (input) => ({ input }) }]],
  ['channel-feedback', ['shouldAckReaction'], () => [{ scope: pick([undefined, 'off', 'none', 'all', 'direct', 'group-all', 'group-mentions', 'x']), isDirect: flag() ?? true, isGroup: flag() ?? true, isMentionableGroup: flag() ?? true, requireMention: flag() ?? true, canDetectMention: flag() ?? true, effectiveWasMentioned: flag() ?? false, shouldBypassMention: flag() }]],
  ['channel-feedback', ['shouldAckReactionForWhatsApp'], () => [{ emoji: pick(['', 'x']), isDirect: flag() ?? false, isGroup: flag() ?? false, directEnabled: flag() ?? true, groupMode: pick(['always', 'mentions', 'never']), wasMentioned: flag() ?? false, groupActivated: flag() ?? false }]],
  ['setup', ['patchTopLevelChannelConfigSection', 'patchNestedChannelConfigSection'], () => [{ cfg: config(), channel: pick(['c', 'n']), section: 'dm', patch: { p: 1 }, enabled: flag(), clearFields: pick([undefined, ['allowFrom']]) }]],
  ['setup', ['setTopLevelChannelAllowFrom', 'setTopLevelChannelGroupPolicy', 'setTopLevelChannelDmPolicyWithAllowFrom', 'setNestedChannelAllowFrom', 'setNestedChannelDmPolicyWithAllowFrom', 'setChannelDmPolicyWithAllowFrom', 'setLegacyChannelDmPolicyWithAllowFrom'], () => [{ cfg: config(), channel: 'c', section: 'dm', allowFrom: list(), groupPolicy: 'open', dmPolicy: policy(), enabled: flag() }]],
  ['setup', ['patchChannelConfigForAccount', 'setAccountAllowFromForChannel', 'setAccountDmAllowFromForChannel', 'setAccountGroupPolicyForChannel', 'moveSingleAccountChannelSectionToDefaultAccount'], () => [{ cfg: config(), channel: 'c', channelKey: 'c', accountId: pick(['default', 'work', 'a']), allowFrom: list(), groupPolicy: 'open', patch: { p: 1 } }]],
  ['setup', ['createLegacyCompatChannelDmPolicy', 'createTopLevelChannelDmPolicy', 'createNestedChannelDmPolicy'], () => [{ label: 'L', channel: 'c', section: 'dm', policyKey: 'k', allowFromKey: 'f', getCurrent: () => 'open' }], (step) => [step, step.getCurrent(cfg, 'Work'), step.setPolicy(cfg, 'open', 'Work'), step.setPolicy(cfg, 'pairing'), step.resolveConfigKeys?.(cfg, 'Work')]],
  ['setup', ['parseSetupEntriesWithParser', 'parseSetupEntriesAllowingWildcard'], () => [pick(['a, b;*', 'x', 'bad, y', '']), (entry) => (entry === 'bad' ? { error: 'no' } : { value: entry })]],
  ['setup', ['parseMentionOrPrefixedId'], () => [{ value: pick(['<@12>', 'user:5', 'x', '', ' 7 ']), mentionPattern: /^<@(\d+)>$/, prefixPattern: pick([undefined, /^user:/]), idPattern: /^\d+$/, normalizeId: pick([undefined, (id) => `#${id}`]) }]],
  ['setup', ['normalizeAllowFromEntries'], () => [list(scalar), pick([undefined, (entry) => (entry === 'a' ? null : entry.toUpperCase())])]],
  ['setup', ['formatResolvedUnresolvedNote'], () => [{ resolved: list(), unresolved: list() }]],
  ['security-runtime', ['resolveDmAllowState'], () => [{ provider: 'p', accountId: 'a', dmPolicy: policy(), allowFrom: senders(), normalizeEntry: pick([undefined, (entry) => entry.replace(/^@/, '')]), readStore: pick([async () => ['bob', ' @User ', ''], async () => [], () => Promise.reject(new Error('none'))]) }]],
  ['setup', ['resolveSetupAccountId'], () => [{ accountId: accountId(), defaultAccountId: 'd' }]],
];
