// Rows for reasons of failures.
import { pick } from './kit.mjs';

const error = () => pick([new Error('plain words'), Object.assign(new Error('x'), { status: pick([400, 401, 402, 404, 410, 429, 499, 500, 503, 529, 408, 200]) }), Object.assign(new Error('no'), { code: pick(['ETIMEDOUT', 'ECONNRESET', 'EHOSTUNREACH', 'RATE_LIMIT', 'EOTHER']) }), new Error(pick(['429 Too Many Requests', 'Invalid API key', 'request timed out', 'model is overloaded'])), 'text', Object.assign(new Error('f'), { name: 'FailoverError', reason: 'billing', provider: 'p', model: 'm' })]);

export default [
  ['image-generation-core', ['describeFailoverError'], () => [error()]],
  ['provider-oauth-runtime', ['parseOAuthAuthorizationInput'], () => [pick(['', ' https://x/?code=a&state=b ', 'c#d', 'code=e&state=f', 'plain', 'http://x'])]],
  ['provider-oauth-runtime', ['resolveOAuthTokenLifetimeMs'], () => [pick([3600, '60', 0, -1, 'x', 1e12])]],
  ['provider-oauth-runtime', ['resolveOAuthTokenExpiresAt'], () => [pick([3600, 'x']), pick([{ nowMs: 5 }, { nowMs: 5, refreshSkewMs: 1000 }])]],
  ['provider-transport-runtime', ['coerceTransportToolCallArguments'], () => [pick(['{"a":1}', '[1]', 'x', { b: 2 }, [1], null])]],
  ['provider-transport-runtime', ['createEmptyTransportUsage'], () => []],
  ['provider-transport-runtime', ['mergeTransportHeaders'], () => [pick([undefined, { a: '1' }]), pick([undefined, { a: '2', b: '3' }])]],
  ['provider-transport-runtime', ['sanitizeTransportPayloadText', 'stripSystemPromptCacheBoundary'], () => [pick(['ok', 'a\ud800b', '\udc00', '😀', 'x\n<!-- OPENCLAW_CACHE_BOUNDARY -->\ny'])]],
];
