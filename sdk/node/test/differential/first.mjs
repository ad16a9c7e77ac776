// Rows for names, accounts, set-up, policies and answers.
import { WORDS, list, pick, random, scalar, text } from './kit.mjs';

const paragraph = () => Array.from({ length: 1 + random(30) }, () => pick(['word', 'longer-word', '\n', '\n\n', '(in parentheses)', ' ', 'x'.repeat(random(40))])).join(' ');
const account = () => pick([{}, { enabled: false, name: 'N' }, { dmPolicy: 'open', allowFrom: ['*'] }, { groups: { g: { requireMention: false } } }]);
const config = () => ({ channels: { c: { ...account(), ...pick([{}, { accounts: { default: account(), Work: account() } }, { groupPolicy: 'allowlist', groups: { '*': {} } }]) }, defaults: { groupPolicy: pick([undefined, 'open']) } }, session: { dmScope: pick([undefined, 'main', 'per-peer', 'per-channel-peer', 'per-account-channel-peer']), identityLinks: pick([undefined, { bob: ['c:12', 'x_y-z'] }]) } });
const accountId = () => pick([undefined, 'default', 'work', 'Work', ' other ']);

export default [
  ['string-coerce-runtime', ['normalizeOptionalString', 'normalizeNullableString', 'normalizeOptionalLowercaseString', 'normalizeLowercaseStringOrEmpty', 'normalizeStringifiedOptionalString', 'readStringValue', 'hasNonEmptyString', 'isRecord', 'normalizeFastMode', 'normalizeOptionalStringifiedId'], () => [scalar()]],
  ['string-coerce-runtime', ['normalizeStringEntries', 'normalizeStringEntriesLower'], () => [pick([undefined, list(scalar)])]],
  ['account-id', ['normalizeAccountId', 'normalizeOptionalAccountId'], () => [pick([...WORDS, undefined, null])]],
  ['account-resolution', ['listCombinedAccountIds'], () => [{ configuredAccountIds: list(), additionalAccountIds: list(), implicitAccountId: text(), fallbackAccountIdWhenEmpty: text() }]],
  ['account-resolution', ['resolveMergedAccountConfig'], () => [{ channelConfig: account(), accounts: { Work: account() }, accountId: pick(['work', 'none']), omitKeys: ['name'], nestedObjectKeys: ['groups'] }]],
  ['account-helpers', ['describeAccountSnapshot', 'describeWebhookAccountSnapshot'], () => [{ account: account(), configured: true, extra: { x: 1 } }]],
  ['error-runtime', ['formatErrorMessage'], () => [pick([scalar(), new Error(text(), { cause: pick([undefined, 'why', new Error(text())]) })])]],
  ['channel-actions', ['readStringParam', 'readNumberParam', 'readStringOrNumberParam', 'readStringArrayParam'], () => [{ messageId: scalar(), message_id: scalar() }, 'messageId', { required: pick([true, false]) }]],
  ['channel-actions', ['jsonResult'], () => [pick([{ a: 1 }, [1], 'x', null])]],
  ['tool-send', ['extractToolSend'], () => [{ action: pick(['sendMessage', 'x']), to: scalar(), accountId: scalar(), threadId: scalar() }]],
  ['secret-input', ['hasConfiguredSecretInput', 'normalizeSecretInputString', 'coerceSecretRef', 'isSecretRef'], () => [scalar()]],
  ['setup', ['splitSetupEntries'], () => [paragraph()]],
  ['setup', ['mergeAllowFromEntries'], () => [pick([undefined, list()]), list()]],
  ['setup', ['addWildcardAllowFrom'], () => [pick([undefined, list()])]],
  ['setup', ['applyAccountNameToChannelSection', 'prepareScopedSetupConfig'], () => [{ cfg: config(), channelKey: 'c', accountId: accountId(), name: text(), alwaysUseAccounts: pick([true, false]), migrateBaseName: pick([true, false]) }]],
  ['setup', ['patchScopedAccountConfig'], () => [{ cfg: config(), channelKey: 'c', accountId: accountId(), patch: { token: 'x' }, ensureChannelEnabled: pick([undefined, false]) }]],
  ['setup', ['setSetupChannelEnabled'], () => [config(), 'c', true]],
  ['runtime-group-policy', ['resolveDefaultGroupPolicy'], () => [config()]],
  ['runtime-group-policy', ['resolveAllowlistProviderRuntimeGroupPolicy', 'resolveOpenProviderRuntimeGroupPolicy'], () => [{ providerConfigPresent: pick([true, false]), groupPolicy: pick([undefined, 'open']), defaultGroupPolicy: pick([undefined, 'disabled']) }]],
  ['channel-policy', ['resolveChannelGroupRequireMention'], () => [{ cfg: config(), channel: 'c', accountId: accountId(), groupId: pick(['g', 'G', 'h']), groupIdCaseInsensitive: true, requireMentionOverride: pick([undefined, false]), overrideOrder: pick([undefined, 'before-config']) }]],
  ['channel-config-helpers', ['buildAccountScopedDmSecurityPolicy'], () => [{ cfg: config(), channelKey: 'c', accountId: accountId(), policyPathSuffix: pick([undefined, 'dmPolicy', 'dm.policy']), allowFromPathSuffix: pick([undefined, '', 'dm.']), inheritSharedDefaultsFromDefaultAccount: pick([true, false]) }]],
  ['routing', ['buildAgentSessionKey'], () => [{ agentId: text(), channel: text(), accountId: accountId(), peer: pick([null, { kind: pick(['direct', 'group', 'channel']), id: text() }]), ...config().session }]],
  ['routing', ['resolveThreadSessionKeys'], () => [{ baseSessionKey: 'agent:main:x', threadId: text(), parentSessionKey: 'p', useSuffix: pick([undefined, false]) }]],
  ['reply-payload', ['resolveSendableOutboundReplyParts', 'resolvePayloadMediaUrls'], () => [{ text: text(), mediaUrl: text(), mediaUrls: pick([undefined, list()]) }]],
  ['text-chunking', ['chunkTextForOutbound'], () => [paragraph(), 1 + random(60)]],
  ['reply-chunking', ['chunkText', 'chunkMarkdownTextWithMode', 'chunkTextWithMode'], () => [paragraph(), 10 + random(60), pick(['length', 'newline'])]],
  ['channel-mention-gating', ['resolveInboundMentionDecision'], () => [{ canDetectMention: pick([true, false]), wasMentioned: pick([true, false]), hasAnyMention: pick([undefined, true]), implicitMentionKinds: list(), isGroup: true, requireMention: pick([true, false]), allowTextCommands: true, hasControlCommand: pick([true, false]), commandAuthorized: pick([true, false]) }]],
  ['command-gating', ['resolveCommandAuthorizedFromAuthorizers'], () => [{ useAccessGroups: pick([true, false]), modeWhenAccessGroupsOff: pick([undefined, 'allow', 'deny', 'configured']), authorizers: list(() => ({ configured: pick([true, false]), allowed: pick([true, false]) })) }]],
  ['ssrf-runtime', ['isBlockedHostnameOrIp'], () => [pick(['localhost', 'a.internal', '8.8.8.8', '10.1.2.3', '127.1', '0x7f.1', '::1', '[::ffff:10.0.0.1]', '64:ff9b::a00:1', '2002:0a00:0001::', 'fd00::1', '2606:4700::1', 'example.com', '198.18.0.1', '100.64.0.1', '224.0.0.1', '1.2.3', 'fe80::1', '2001:0:0:0:0:0:f5ff:fffe', 'x.local.'])]],
  ['ssrf-runtime', ['isPrivateNetworkOptInEnabled'], () => [pick([true, {}, { network: { dangerouslyAllowPrivateNetwork: true } }, { allowPrivateNetwork: true }, null])]],
  ['channel-targets', ['resolveChannelEntryMatchWithFallback'], () => [{ entries: { a: { n: 1 }, B: { n: 2 }, '*': { n: 3 } }, keys: list(() => pick(['a', 'b', 'z'])), parentKeys: list(() => pick(['a', 'b'])), wildcardKey: pick([undefined, '*']), normalizeKey: pick([undefined, (key) => key.toLowerCase()]) }]],
  ['channel-ingress-runtime', ['resolveStableChannelMessageIngress'], () => [{
    channelId: 'c', accountId: 'default', identity: { normalize: (value) => value.toLowerCase(), aliases: [{ key: 'name', dangerous: true }] },
    subject: { stableId: pick(['bob', 'eve']), aliases: { name: 'Bobby' } }, conversation: { kind: pick(['direct', 'group']), id: 'x' },
    allowFrom: list(() => pick(['bob', '*', 'Bobby', 'accessGroup:ops', 'accessGroup:none'])), groupAllowFrom: pick([undefined, list(() => pick(['bob', 'eve']))]),
    dmPolicy: pick([undefined, 'open', 'allowlist', 'disabled', 'pairing']), groupPolicy: pick([undefined, 'open', 'allowlist']), readStoreAllowFrom: async () => pick([[], ['eve']]) && ['eve'],
    accessGroups: { ops: { type: 'message.senders', members: { '*': ['eve'] } } }, command: pick([undefined, { allowTextCommands: true, hasControlCommand: true }]),
    mentionFacts: pick([undefined, { canDetectMention: true, wasMentioned: pick([true, false]) }]), policy: pick([undefined, { activation: { requireMention: true, allowTextCommands: false, order: pick([undefined, 'before-sender']) }, mutableIdentifierMatching: pick([undefined, 'enabled']) }]),
    route: pick([undefined, [{ id: 'r', allowed: pick([true, false]), blockReason: 'no' }], { id: 'r', senderPolicy: 'deny-when-empty', senderAllowFrom: list(() => 'bob') }]),
  }]],
];
