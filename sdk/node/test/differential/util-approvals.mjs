// Rows for approvals, diagnostics, log settings and secrets. Words of messages are ours; their parts are compared.
import { pick, random, scalar, text } from './kit.mjs';

const maybe = (value) => pick([undefined, value]);
const decisions = () => pick([undefined, [], ['allow-once', 'deny'], ['deny', 'x', 'deny'], ['allow-always']]);
const ask = () => pick([undefined, null, 'always', 'on-miss', 'ALWAYS']);
const ids = ['0123456789abcdef0123456789abcdef', 'ABCDEF6789abcdef0123456789abcdef', '0'.repeat(32), 'x', undefined];
const spans = ['0123456789abcdef', 'FFFFFFFFFFFFFFFF', '0'.repeat(16), 'x', undefined];
const parent = () => pick([undefined, '00-0123456789abcdef0123456789abcdef-0123456789abcdef-01', '00-x', 'ff-0123456789abcdef0123456789abcdef-0123456789abcdef-01', '00-0123456789abcdef0123456789abcdef-0123456789abcdef-01-more', '01-0123456789abcdef0123456789abcdef-0123456789abcdef-00-more', 7]);
const withoutText = (result) => ({ ...result, text: undefined });
const plugin = () => ({ id: 'plugin:12345678', expiresAtMs: 61_000, request: { title: 'T', description: 'D', severity: pick([undefined, 'info', 'critical', 'warning']), toolName: maybe('t'), pluginId: maybe('p'), agentId: maybe('a'), allowedDecisions: decisions() } });
const resolved = () => ({ id: 'plugin:12345678', decision: pick(['allow-once', 'allow-always', 'deny']), resolvedBy: pick([undefined, null, 'Bob']) });
const request = () => ({ cfg: {}, channel: pick(['Tele', 'other', undefined]), accountId: pick([undefined, null, 'work']), request: { id: 'x', request: { turnSourceChannel: pick([undefined, 'tele', 'slack']), turnSourceAccountId: pick([undefined, 'Work', 'home']) } } });
const secretConfig = () => ({ secrets: { providers: pick([undefined, { default: { source: 'env', allowlist: pick([undefined, ['KEY'], []]) } }, { default: { source: 'file', path: '/none' } }]), defaults: pick([undefined, { env: 'default' }]) } });

export default [
  ['approval-reply-runtime', ['resolveExecApprovalAllowedDecisions'], () => [pick([undefined, { ask: ask() }])]],
  ['approval-reply-runtime', ['resolveExecApprovalRequestAllowedDecisions'], () => [pick([undefined, { ask: ask(), allowedDecisions: decisions() }])]],
  ['approval-reply-runtime', ['buildExecApprovalActionDescriptors'], () => [{ approvalCommandId: pick([' ', 'abc', ' a ']), ask: ask(), allowedDecisions: decisions() }]],
  ['approval-reply-runtime', ['buildApprovalInteractiveReplyFromActionDescriptors'], () => [pick([[], [{ label: 'L', style: 'danger', command: '/x', decision: 'deny' }]])]],
  ['approval-reply-runtime', ['parseExecApprovalCommandText'], () => [pick(['/approve abc allow-once', 'approve@bot a:b.c ALWAYS now', '/approve x deny!', '/approve', 'approve x maybe', ' /approve 1 allow-always '])]],
  ['approval-reply-runtime', ['buildExecApprovalPendingReplyPayload'], () => [{ approvalId: 'id', approvalSlug: 's', approvalCommandId: pick([undefined, ' ', 'c']), command: 'ls', host: 'node', ask: ask(), allowedDecisions: decisions(), agentId: pick([undefined, ' a ']), sessionKey: maybe('k') }], withoutText],
  ['approval-reply-runtime', ['buildPluginApprovalPendingReplyPayload'], () => [{ request: plugin(), nowMs: 1000, approvalSlug: maybe('s'), text: maybe('own'), allowedDecisions: decisions(), channelData: maybe({ c: 1 }) }]],
  ['approval-runtime', ['buildPluginApprovalResolvedReplyPayload'], () => [{ resolved: resolved(), approvalSlug: maybe('s'), text: maybe('t') }]],
  ['approval-runtime', ['buildApprovalPendingReplyPayload'], () => [{ approvalId: 'i', approvalSlug: 's', approvalKind: maybe('plugin'), text: 't', agentId: maybe(' '), allowedDecisions: decisions(), sessionKey: maybe('k'), channelData: maybe({ execApproval: 1 }) }]],
  ['approval-runtime', ['formatApprovalDisplayPath'], () => [pick(['/home/bob/x', '/Users/al/y z', 'C:\\Users\\Al\\z', '/home/bob/../x', '/etc', ' /home/bob '])]],
  ['approval-reply-runtime', ['resolveExecApprovalCommandDisplay'], () => [{ command: pick(['', 'ls -la', 'a\nb']), commandPreview: pick([undefined, null, ' ls -la ', 'p']), host: pick(['node', 'gateway']), systemRunPlan: pick([undefined, null, { commandText: 'plan', commandPreview: 'pp' }]) }]],
  ['approval-native-runtime', ['doesApprovalRequestMatchChannelAccount', 'resolveApprovalRequestAccountId', 'resolveApprovalRequestChannelAccountId'], () => [request()]],
  ['approval-native-runtime', ['resolveApprovalRequestSessionConversation'], () => [{ bundledFallback: false, channel: pick([undefined, 'tele']), request: { request: { sessionKey: pick([undefined, 'agent:main:tele:group:12', 'agent:main:other:channel:A:thread:9', 'agent:main:main', 'tele:group:1', 'agent:main:tele:direct:5']) } } }]],
  ['approval-client-runtime', ['isChannelExecApprovalTargetRecipient'], () => [{ cfg: pick([{}, { approvals: { exec: { enabled: pick([true, false]), mode: pick(['targets', 'both', 'session']), targets: [{ channel: 'Tele', to: '9', accountId: maybe('Work') }] } } }]), senderId: pick([undefined, null, '9', '8']), accountId: pick([undefined, 'work', 'x']), channel: 'tele', matchTarget: ({ target, normalizedSenderId }) => target.to === normalizedSenderId }]],
  ['security-runtime', ['safeEqualSecret'], () => [pick([text(), undefined]), pick([text(), null])]],
  ['security-runtime', ['sanitizeUntrustedFileName'], () => [pick([scalar(), 'a/b\\c\n.txt', '..', 'x'.repeat(300)]), 'f']],
  ['diagnostic-runtime', ['parseDiagnosticTraceparent'], () => [parent()]],
  ['diagnostic-runtime', ['isValidDiagnosticTraceId'], () => [pick(ids)]],
  ['diagnostic-runtime', ['isValidDiagnosticSpanId'], () => [pick(spans)]],
  ['diagnostic-runtime', ['isValidDiagnosticTraceFlags'], () => [pick(['01', 'g1', '1', 5])]],
  ['diagnostic-runtime', ['createDiagnosticTraceContext'], () => [{ traceId: pick(ids.slice(0, 2)), spanId: pick(spans.slice(0, 2)), parentSpanId: pick(spans), traceFlags: pick([undefined, '00', 'zz']) }]],
  ['diagnostic-runtime', ['createChildDiagnosticTraceContext'], () => [{ traceId: ids[0], spanId: spans[0], traceFlags: maybe('00') }, { spanId: 'aaaaaaaaaaaaaaaa', parentSpanId: pick(spans) }]],
  ['diagnostic-runtime', ['formatDiagnosticTraceparent'], () => [pick([undefined, { traceId: pick(ids), spanId: pick(spans), traceFlags: pick([undefined, '00']) }])]],
  ['diagnostic-runtime', ['isDiagnosticsEnabled'], () => [pick([undefined, {}, { diagnostics: { enabled: pick([true, false]) } }])]],
  ['diagnostic-runtime', ['isDiagnosticFlagEnabled'], () => [pick(['tele.http', 'tele', 'x', ' ']), pick([undefined, { diagnostics: { flags: pick([['tele.*'], ['*'], ['TELE.HTTP'], ['te*']]) } }]), { OPENCLAW_DIAGNOSTICS: pick([undefined, '0', '1', 'tele.http, y', 'off']) }]],
  ['runtime-env', ['normalizeLogLevel', 'levelToMinLevel'], () => [pick(['info', ' debug ', 'x', undefined, 'silent'])]],
  ['runtime-env', ['isTruthyEnvValue'], () => [pick([scalar(), 'ON', ' yes '])]],
  ['runtime-env', ['stripRedundantSubsystemPrefixForConsole'], () => [pick(['[tele]  hi', 'Tele: hi', 'tele  : x', 'telegram: x', 'tele']), pick([undefined, 'tele', 'TELE'])]],
  ['secret-input-runtime', ['resolveConfiguredSecretInputString', 'resolveConfiguredSecretInputWithFallback', 'resolveRequiredConfiguredSecretRefInputString'], () => [{ config: secretConfig(), env: pick([{ KEY: ' v ' }, {}]), value: pick([undefined, ' plain ', '${KEY}', { source: 'env', provider: 'default', id: 'KEY' }, { source: 'file', provider: 'default', id: '/a' }]), path: 'p', unresolvedReasonStyle: maybe('detailed'), readFallback: pick([undefined, () => 'fb']) }]],
  ['webhook-ingress', ['rawDataToString'], () => [pick(['s', Buffer.from('b'), [Buffer.from('a'), Buffer.from('c')], 5]), pick([undefined, 'hex'])]],
  ['tool-plugin', ['getToolPluginMetadata'], () => [random(2) ? null : {}]],
];
