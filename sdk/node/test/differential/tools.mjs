// Rows for small tools: rules of commands, hosts, flags, paths, words, patterns.
import os from 'node:os';
import { list, pick, random, scalar, text } from './kit.mjs';

const host = () => pick(['localhost', 'A.internal', 'example.com', 'x.local.', '*.example.com', '*', '*.', '', 'deep.example.com', '[::1]', 'metadata.google.internal']);
const policy = () => pick([undefined, {}, { allowPrivateNetwork: true }, { hostnameAllowlist: ['B.c', 'a.c', '*'] }, { hostnameAllowlist: ['a.c', 'b.c'] }, { allowedHostnames: ['X'] }, { allowedHostnames: ['x', 'x'], dangerouslyAllowPrivateNetwork: false }]);
const pattern = () => Array.from({ length: 1 + random(6) }, () => pick(['a', 'b+', '(a|b)', '(a|bc)+', '(a+)+', '[x-z]*', '\\d{2,}', '(ab){2}', '(x*)', '.', '^', '$', '(', ')', '{3,1}', 'c?', '|', '(a|bc){1,3}', '*'])).join('');
const file = () => pick([os.tmpdir(), `${os.tmpdir()}/none/below`, '/', 'relative', '', '/a\0b', '/proc/self/exe', `${os.tmpdir()}/../etc/hosts`]);
const error = () => pick([undefined, new Error('Rate limit hit'), new Error('timeout'), Object.assign(new Error('x'), { code: 'ETIMEDOUT' }), new Error('too many tokens'), new Error('content_filter'), new Error('plain'), 'text 429']);

export default [
  ['infra-runtime', ['normalizeExecAsk', 'normalizeExecHost', 'normalizeExecSecurity', 'normalizeExecTarget'], () => [pick(['ALWAYS', 'on-miss', ' node ', 'auto', 'full', 'x', undefined, 3])]],
  ['infra-runtime', ['maxAsk'], () => [pick(['off', 'on-miss', 'always']), pick(['off', 'on-miss', 'always'])]],
  ['infra-runtime', ['minSecurity'], () => [pick(['deny', 'allowlist', 'full']), pick(['deny', 'allowlist', 'full'])]],
  ['infra-runtime', ['requireValidExecTarget'], () => [pick([null, undefined, 3, '', ' Node', 'x'])]],
  ['infra-runtime', ['requiresExecApproval'], () => [{ ask: pick(['off', 'on-miss', 'always']), security: pick(['allowlist', 'full']), analysisOk: pick([true, false]), allowlistSatisfied: pick([true, false]), durableApprovalSatisfied: pick([undefined, true]) }]],
  ['infra-runtime', ['approvalDecisionLabel'], () => [pick(['allow-once', 'allow-always', 'deny', 'x'])]],
  ['infra-runtime', ['isExecApprovalDecisionAllowed'], () => [{ decision: pick(['allow-once', 'allow-always', 'deny']), ask: pick([undefined, 'always', 'off']) }]],
  ['infra-runtime', ['resolvePluginApprovalRequestAllowedDecisions'], () => [pick([undefined, {}, { allowedDecisions: list(() => pick(['deny', 'allow-once', 'x'])) }])]],
  ['infra-runtime', ['buildExecApprovalCommandText'], () => [{ approvalCommandId: 'a1', decision: 'deny' }]],
  ['infra-runtime', ['buildApprovalInteractiveReply', 'buildExecApprovalInteractiveReply'], () => [{ approvalId: 'a', approvalCommandId: 'a', ask: pick([undefined, 'always']), allowedDecisions: pick([undefined, ['deny']]) }]],
  ['infra-runtime', ['formatExecApprovalExpiresIn'], () => [1000 + random(9_000_000), pick([0, 1000, 5_000_000])]],
  ['infra-runtime', ['isBlockedHostname'], () => [host()]],
  ['infra-runtime', ['isHostnameAllowedByPattern'], () => [host(), host()]],
  ['infra-runtime', ['matchesHostnameAllowlist'], () => [host(), list(host)]],
  ['infra-runtime', ['normalizeHostnameAllowlist'], () => [pick([undefined, list(host)])]],
  ['infra-runtime', ['isSameSsrFPolicy'], () => [policy(), policy()]],
  ['infra-runtime', ['ssrfPolicyFromHttpBaseUrlFakeIpHostnameAllowlist'], () => [pick(['', 'https://a.b/c', 'ftp://x', 'nope', ' http://[::1]:3 '])]],
  ['infra-runtime', ['matchesDiagnosticFlag'], () => [pick(['a.b', 'a', '', 'tele']), list(() => pick(['a.*', 'tel*', '*', 'ALL', 'a', '']))]],
  ['infra-runtime', ['resolveDiagnosticFlags'], () => [pick([undefined, { diagnostics: { flags: [' A ', 'b', 'a'] } }]), { OPENCLAW_DIAGNOSTICS: pick([undefined, '0', 'none', 'all', 'x, Y z', ' ']) }]],
  ['infra-runtime', ['detectErrorKind'], () => [error()]],
  ['infra-runtime', ['isErrno', 'stringifyNonErrorCause'], () => [pick([error(), { code: 1 }, scalar()])]],
  ['infra-runtime', ['isWindowsPlatform'], () => [pick(['win32', 'Windows', 'linux', undefined])]],
  ['infra-runtime', ['windowsEscapeArg'], () => [pick(['', 'plain-1', 'a b', 'say "x"', '100%', '$HOME', 'a$', '`x`'])]],
  ['infra-runtime', ['normalizeScpRemotePath', 'isSafeScpRemotePath'], () => [pick(['/a/b', ' /a b ', '/a;b', '/$x', 'rel', '/a\nb', '/a*', undefined])]],
  ['infra-runtime', ['isSafeScpRemoteHost'], () => [pick(['host', 'u@host', '-x', 'a b', undefined])]],
  ['infra-runtime', ['hasEncodedFileUrlSeparator'], () => [pick(['/a%2Fb', '/a%5cb', '/a%20b', ''])]],
  ['infra-runtime', ['isWindowsNetworkPath'], () => [pick(['\\\\srv\\x', '//srv/x', 'C:\\x', '\\\\?\\UNC\\a']), pick(['win32', 'linux'])]],
  ['infra-runtime', ['expandHomePrefix', 'resolveHomeRelativePath', 'resolveOsHomeRelativePath'], () => [pick(['~', '~/a', '~b', '/c', ' d ', '']), { env: { HOME: '/h', OPENCLAW_HOME: pick([undefined, '/o', '~/p']) }, homedir: () => '/q' }]],
  ['infra-runtime', ['resolveOsHomeDir', 'resolveEffectiveHomeDir', 'resolveRequiredOsHomeDir'], () => [{ HOME: pick([undefined, '/h', ' ']), OPENCLAW_HOME: pick([undefined, '/o']), USERPROFILE: pick([undefined, '/u']) }, () => '/q']],
  ['infra-runtime', ['assertAbsolutePathInput'], () => [file()], undefined, 20],
  ['infra-runtime', ['findExistingAncestor', 'canonicalPathFromExistingAncestor'], () => [pick([os.tmpdir(), `${os.tmpdir()}/none/below`, '/', '/proc/self/none'])], undefined, 20],
  ['infra-runtime', ['resolveAbsolutePathForRead', 'resolveAbsolutePathForWrite'], () => [pick([os.tmpdir(), `${os.tmpdir()}/none/below`, '/', 'relative', '']), pick([undefined, { symlinks: 'follow' }])], undefined, 30],
  ['infra-runtime', ['resolveLocalPathFromRootsSync'], () => [{ filePath: pick([os.tmpdir(), `${os.tmpdir()}/none`, '/etc/hosts']), roots: pick([[os.tmpdir()], ['/etc', '/none'], []]), allowMissing: pick([undefined, true]), requireFile: pick([undefined, true]) }], undefined, 40],
  ['infra-runtime', ['resolveHeartbeatIntervalMs'], () => [pick([{}, { agents: { defaults: { heartbeat: { every: pick(['10m', '0', 'x', '']) } } } }]), pick([undefined, '5s']), pick([undefined, { every: '2h' }])]],
  ['infra-runtime', ['isVitestRuntimeEnv'], () => [{ VITEST: pick([undefined, '1', '0']), NODE_ENV: pick([undefined, 'test', 'x']), VITEST_POOL_ID: pick([undefined, '3']) }]],
  ['security-runtime', ['hasNestedRepetition'], () => [pattern()], undefined, 600],
  ['security-runtime', ['compileSafeRegexDetailed'], () => [pattern(), pick(['', 'i'])], ({ regex, ...rest }) => [rest, String(regex)]],
  ['security-runtime', ['testRegexWithBoundedInput'], () => [/ab/, pick(['ab', 'x'.repeat(3000), `${'x'.repeat(3000)}ab`, `${'x'.repeat(2047)}ab${'x'.repeat(3000)}`]), pick([undefined, 0, 5])]],
  ['security-runtime', ['resolveHookExternalContentSource', 'isExternalHookSession', 'getHookType'], () => [pick(['hook:gmail:x', 'HOOK:webhook:y', 'hook:z', 'agent:main:x', ''])]],
  ['security-runtime', ['isNonEmptyString', 'parseDotPath', 'parseEnvValue'], () => [pick(['', ' a . b ', '"q"', "'r'", ' plain ', '"open'])]],
  ['security-runtime', ['normalizePositiveInt'], () => [pick([1.7, 0, -3, NaN, '4', undefined]), pick([5.5, 0])]],
  ['security-runtime', ['isChannelAccountEffectivelyEnabled'], () => [pick([undefined, {}, { enabled: false }]), pick([null, { enabled: true }, { enabled: false }])]],
  ['security-runtime', ['resolveDmGroupAccessDecision'], () => [{ isGroup: pick([true, false]), dmPolicy: pick([undefined, 'open', 'disabled', 'allowlist', 'pairing']), groupPolicy: pick([undefined, 'open', 'disabled', 'x']), effectiveAllowFrom: list(() => pick(['bob', '*', 3])), effectiveGroupAllowFrom: list(() => 'bob'), isSenderAllowed: (entries) => entries.includes('bob') }]],
  ['text-runtime', ['asNullableObjectRecord', 'asOptionalObjectRecord', 'normalizeArrayBackedTrimmedStringList', 'normalizeCsvOrLooseStringList', 'resolvePrimaryStringValue'], () => [pick([scalar(), { primary: ' p ' }, 'a, b,,c', [' a ', 3, '']])]],
  ['text-runtime', ['resolveStuckSessionWarnMs'], () => [pick([undefined, { diagnostics: { stuckSessionWarnMs: pick([5000.5, 10, 1e12, 'x']) } }])]],
  ['text-runtime', ['resolveStuckSessionAbortMs'], () => [pick([undefined, { diagnostics: { stuckSessionAbortMs: pick([5000.5, -10, 1e12, 'x']) } }]), pick([1000, 500_000])]],
  ['string-coerce-runtime', ['normalizeUniqueTrimmedStringList', 'normalizeSortedUniqueTrimmedStringList', 'normalizeStringifiedEntries', 'parseBooleanValue'], () => [pick([undefined, list(text), list(() => pick([' b ', 'a', 3, 'a']))])]],
];
