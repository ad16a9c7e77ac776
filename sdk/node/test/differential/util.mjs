// Rows for numbers, texts, time, networks, requests and policies.
import { list, pick, random, scalar, text } from './kit.mjs';

const NUMBERS = [0, 1, -1, 1.5, 999, 1000, 59_999, 60_000, 3_600_000, 90_061_001, 2 ** 40, 1e15, NaN, Infinity, undefined, null, '5', ' 12 ', '-3', '1.5', '1e3', 'x', 1_700_000_000, 1_700_000_000_000, -8.64e15, 8.64e15 + 1];
const number = () => pick(NUMBERS);
const HOSTS = ['localhost', 'LOCALHOST.', '127.0.0.1', '[::1]', '::1', '10.0.0.8', '100.64.1.1', '169.254.1.1', '8.8.8.8', 'example.com', '::ffff:10.0.0.1', 'fd00::1', 'fe80::1', 'ff02::1', '::', '2001:db8::1', '0.0.0.0', '', '192.168.1.1', '172.20.0.1', 'a.example.com', 'fec0::1'];
const host = () => pick(HOSTS);
const PROXY_ENV = () => ({ ...pick([{}, { HTTP_PROXY: 'http://p:1' }, { http_proxy: ' ' , HTTP_PROXY: 'http://p:1' }, { https_proxy: 'http://s:2' }]), ...pick([{}, { ALL_PROXY: 'http://a:3' }, { HTTPS_PROXY: 'http://s:4' }]), ...pick([{}, { NO_PROXY: '*' }, { no_proxy: 'example.com,.internal:8080 10.0.0.8' }, { no_proxy: '*.example.com, [::1]' }]) });
const url = () => pick(['http://example.com/a', 'https://a.example.com:8443/x?y=1', 'https://example.com', 'ftp://x', 'nope', 'http://x.internal:8080', 'http://x.internal', 'http://[::1]:80/', 'http://10.0.0.8/', '', ' https://EXAMPLE.com./ ']);
const policy = () => pick([undefined, null, {}, { allowPrivateNetwork: true }, { allowedHostnames: ['a', 'b'] }, { hostnameAllowlist: ['*.x'], allowRfc2544BenchmarkRange: true }, { allowedHostnames: ['b', 'c'] }]);
const optIn = () => pick([true, false, undefined, {}, { allowPrivateNetwork: true }, { network: { dangerouslyAllowPrivateNetwork: true } }, 'x', null]);
const target = () => ({ id: random(3), path: pick(['/a', 'a/', '', '/b/']) });

export default [
  ['number-runtime', ['parseFiniteNumber'], () => [pick(['1.5', '1e3', ' 12 ', 'x', undefined, null, 3, NaN])]], // later releases refuse more texts
  ['webhook-ingress', ['normalizeWebhookPath'], () => [pick(['a', ' /b/'])]],
  ['boolean-param', ['readBooleanParam'], () => [{ a: pick([scalar(), ' TRUE ', 'False', true, false]) }, 'a']],
  ['string-coerce-runtime', ['normalizeAtHashSlug', 'normalizeHyphenSlug', 'normalizeOptionalTrimmedStringList', 'normalizeSingleOrTrimmedStringList'], () => [pick([text(), list(scalar), undefined, null])]],
  ['string-normalization-runtime', ['normalizeAtHashSlug', 'normalizeHyphenSlug'], () => [pick([text(), ' #Big Room!! ', '@a__b', '..x..', 'é–ü', null])]],
  ['string-coerce-runtime', ['readStringField'], () => [pick([{ a: scalar() }, null, undefined, []]), 'a']],
  ['time-runtime', ['formatUtcTimestamp'], () => [new Date(random(2 ** 31) * 1000), pick([undefined, { displaySeconds: true }])]],
  ['time-runtime', ['formatZonedTimestamp'], () => [new Date(pick([random(2 ** 31) * 1000, NaN])), pick([undefined, { displaySeconds: true }, { timeZone: 'Asia/Tokyo' }, { timeZone: 'x', displaySeconds: true }, { timeZone: 'America/New_York' }])]],
  ['time-runtime', ['resolveTimezone'], () => [pick(['Europe/Berlin', 'x', 'UTC', ''])]],
  ['infra-runtime', ['formatDurationSeconds', 'formatDurationPrecise'], () => [number(), pick([undefined, { decimals: 3 }, { unit: 'seconds' }, { decimals: 0 }])]],
  ['infra-runtime', ['formatDurationCompact'], () => [pick([number(), random(200_000_000)]), pick([undefined, { spaced: true }])]],
  ['infra-runtime', ['formatDurationHuman'], () => [pick([number(), random(200_000_000)]), pick([undefined, '-'])]],
  ['retry-runtime', ['resolveRetryConfig'], () => [pick([undefined, { attempts: 5, minDelayMs: 10, maxDelayMs: 100, jitter: 0.2 }]), { attempts: number(), minDelayMs: random(5000), maxDelayMs: pick([random(90_000), NaN]), jitter: number() }]],
  ['request-url', ['resolveRequestUrl'], () => [pick([url(), new URL('https://a/b'), { url: url() }, scalar()])]],
  ['fetch-runtime', ['resolveEnvHttpProxyAgentOptions', 'hasEnvHttpProxyAgentConfigured'], () => [PROXY_ENV()]],
  ['fetch-runtime', ['resolveEnvHttpProxyUrl', 'hasEnvHttpProxyConfigured'], () => [pick(['http', 'https']), PROXY_ENV()]],
  ['fetch-runtime', ['shouldUseEnvHttpProxyForUrl'], () => [url(), PROXY_ENV()]],
  ['infra-runtime', ['matchesNoProxy'], () => [url(), PROXY_ENV()]],
  ['infra-runtime', ['hasProxyEnvConfigured'], () => [PROXY_ENV()]],
  ['ssrf-runtime', ['isPrivateOrLoopbackHost'], () => [host()]],
  ['gateway-runtime', ['isLoopbackHost'], () => [host()]],
  ['core', ['isTrustedProxyAddress'], () => [host(), pick([undefined, [], ['10.0.0.0/8'], ['127.0.0.1', ' ::1 '], ['fd00::/8'], ['x', '1.2.3.4/99']])]],
  ['core', ['resolveClientIp'], () => [{ remoteAddr: host(), forwardedFor: pick([undefined, '8.8.8.8', '1.2.3.4:90, 10.0.0.8', 'x, [2001:db8::1]:80', '127.0.0.1']), realIp: pick([undefined, '9.9.9.9']), trustedProxies: pick([undefined, ['10.0.0.0/8', '127.0.0.1', '192.168.1.1']]), allowRealIpFallback: pick([true, false]) }]],
  ['ssrf-policy', ['mergeSsrFPolicies'], () => [policy(), policy(), policy()]],
  ['ssrf-policy', ['ssrfPolicyFromPrivateNetworkOptIn', 'ssrfPolicyFromAllowPrivateNetwork', 'ssrfPolicyFromDangerouslyAllowPrivateNetwork'], () => [optIn()]],
  ['ssrf-runtime', ['ssrfPolicyFromHttpBaseUrlAllowedHostname'], () => [url()]],
  ['ssrf-policy', ['normalizeHostnameSuffixAllowlist'], () => [pick([undefined, [], list(() => pick(['*.A.com', '.b.', 'c', '*', '', '*.'])), ['a.com', 'A.com']]), pick([undefined, ['d']])]],
  ['ssrf-policy', ['buildHostnameAllowlistPolicyFromSuffixAllowlist'], () => [pick([undefined, ['*'], ['a.com', '*.b.com']])]],
  ['ssrf-policy', ['isHttpsUrlAllowedByHostnameSuffixAllowlist'], () => [url(), pick([['*'], [], ['example.com'], ['le.com']])]],
  ['ssrf-policy', ['hasLegacyFlatAllowPrivateNetworkAlias'], () => [pick([optIn(), { allowPrivateNetwork: undefined }])]],
  ['ssrf-policy', ['migrateLegacyFlatAllowPrivateNetworkAlias'], () => [{ entry: { a: 1, ...pick([{}, { allowPrivateNetwork: pick([true, 'x', undefined]) }]), ...pick([{}, { network: { b: 2, dangerouslyAllowPrivateNetwork: pick([false, undefined, 'y']) } }, { network: {} }]) }, pathPrefix: 'p', changes: [] }]],
  ['ssrf-policy', ['assertHttpUrlTargetsPrivateNetwork'], () => [pick(['http://10.0.0.1', 'http://example.com', 'https://example.com', 'nope', 'http://localhost:1']), { dangerouslyAllowPrivateNetwork: pick([undefined, false]), allowPrivateNetwork: false }]],
  ['webhook-ingress', ['isJsonContentType'], () => [pick([undefined, 'application/json; x', ['text/plain'], 'application/ld+json', 'APPLICATION/JSON'])]],
  ['webhook-ingress', ['normalizePluginHttpPath'], () => [pick([undefined, ' ', '/a', 'b']), pick([undefined, null, 'c', ' '])]],
  ['webhook-path', ['normalizeWebhookPath'], () => [pick(['', ' a/ ', '/', '/x//', '/a/b'])]],
  ['webhook-path', ['resolveWebhookPath'], () => [{ webhookPath: pick([undefined, ' ', 'a/']), webhookUrl: pick([undefined, ' ', 'nope', 'https://a/b/']), defaultPath: pick([undefined, null, '/d']) }]],
  ['webhook-ingress', ['resolveWebhookTargets'], () => [{ url: pick([undefined, '/a/?x', '/none', '/a']) }, new Map([['/a', [1]], ['/empty', []]])]],
  ['webhook-ingress', ['resolveSingleWebhookTarget'], () => [list(target), ({ id }) => id === 1]],
  ['webhook-ingress', ['resolveSingleWebhookTargetAsync'], () => [list(target), async ({ id }) => id === 1]],
  ['webhook-ingress', ['requestBodyErrorToText'], () => [pick(['PAYLOAD_TOO_LARGE', 'REQUEST_BODY_TIMEOUT', 'CONNECTION_CLOSED'])]],
  ['concurrency-runtime', ['runTasksWithConcurrency'], () => [{ tasks: list(() => pick([async () => 1, async () => Promise.reject(new Error('x'))])), limit: 1 + random(3), errorMode: pick([undefined, 'stop', 'continue']) }]],
];
