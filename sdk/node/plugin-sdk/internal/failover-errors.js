// Why a model or a provider failed, so that the next one can be tried.
import { extractErrorCode, formatErrorMessage } from './error-text.js';

const STATUS = { 400: 'format', 422: 'format', 401: 'auth', 402: 'billing', 403: 'auth', 404: 'model_not_found', 408: 'timeout', 410: 'timeout', 429: 'rate_limit', 499: 'timeout', 500: 'timeout', 502: 'timeout', 503: 'timeout', 504: 'timeout', 529: 'overloaded' };
const CODES = { ETIMEDOUT: 'timeout', ESOCKETTIMEDOUT: 'timeout', ECONNRESET: 'timeout', ECONNABORTED: 'timeout', ECONNREFUSED: 'timeout', ENETUNREACH: 'timeout', EHOSTUNREACH: 'timeout', EAI_AGAIN: 'timeout', EPIPE: 'timeout', RESOURCE_EXHAUSTED: 'rate_limit', RATE_LIMIT: 'rate_limit', THROTTLED: 'rate_limit', OVERLOADED: 'overloaded' };
const WORDS = [
  [/insufficient (?:credits|quota|balance)|payment required/i, 'billing'], [/rate.?limit|too many requests|quota exceeded|resource.?exhausted/i, 'rate_limit'], [/overloaded/i, 'overloaded'],
  [/invalid api.?key|unauthori[sz]ed|authentication|forbidden|expired token/i, 'auth'], [/time(?:d)?.?out|deadline exceeded|socket hang up/i, 'timeout'], [/model.{0,20}not found|unknown model|does not exist/i, 'model_not_found'],
];
const MEMBERS = ['rawError', 'reason', 'status', 'code', 'provider', 'model', 'profileId', 'sessionId', 'lane'];

const statusOf = (error) => [error?.status, error?.statusCode, error?.response?.status].map(Number).find((value) => Number.isInteger(value) && value >= 100 && value < 600);
function reasonOf(error, depth = 0) {
  const code = extractErrorCode(error);
  const own = STATUS[statusOf(error)] ?? CODES[String(code).toUpperCase()] ?? (error?.name === 'TimeoutError' ? 'timeout' : WORDS.find(([words]) => words.test(formatErrorMessage(error)))?.[1]);
  return own ?? (error?.cause && depth < 8 ? reasonOf(error.cause, depth + 1) : undefined);
}
/** An error as the list of attempts tells it. @param {unknown} error @returns {{message: string, reason?: string, status?: number, code?: string, provider?: string}} */
export function describeFailoverError(error) {
  if (error?.name === 'FailoverError' && typeof error.reason === 'string') return { message: error.message, ...Object.fromEntries(MEMBERS.map((name) => [name, error[name]])) };
  const message = typeof error === 'string' ? error : (error?.message ?? String(error));
  return { message, reason: reasonOf(error), status: statusOf(error), code: extractErrorCode(error), provider: typeof error?.provider === 'string' ? error.provider : undefined };
}
