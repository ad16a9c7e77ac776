// Rows for reasons of failures.
import { pick } from './kit.mjs';

const error = () => pick([new Error('plain words'), Object.assign(new Error('x'), { status: pick([400, 401, 402, 404, 410, 429, 499, 500, 503, 529, 408, 200]) }), Object.assign(new Error('no'), { code: pick(['ETIMEDOUT', 'ECONNRESET', 'EHOSTUNREACH', 'RATE_LIMIT', 'EOTHER']) }), new Error(pick(['429 Too Many Requests', 'Invalid API key', 'request timed out', 'model is overloaded'])), 'text', Object.assign(new Error('f'), { name: 'FailoverError', reason: 'billing', provider: 'p', model: 'm' })]);

export default [
  ['image-generation-core', ['describeFailoverError'], () => [error()]],
];
