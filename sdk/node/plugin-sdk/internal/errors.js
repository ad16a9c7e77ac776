// What kind of error something is.
import { extractErrorCode, formatErrorMessage } from './error-text.js';
import { redactSensitiveText } from './redact.js';

/** Code of a subagent call outside a request of the gateway. */
export const SUBAGENT_RUNTIME_REQUEST_SCOPE_ERROR_CODE = 'OPENCLAW_SUBAGENT_RUNTIME_REQUEST_SCOPE';
/** Message of such a call. */
export const SUBAGENT_RUNTIME_REQUEST_SCOPE_ERROR_MESSAGE = 'Plugin runtime subagent methods are only available during a gateway request.';

/** A subagent call outside a request of the gateway. */
export class RequestScopedSubagentRuntimeError extends Error {
  constructor(message = SUBAGENT_RUNTIME_REQUEST_SCOPE_ERROR_MESSAGE) {
    super(message);
    this.name = 'RequestScopedSubagentRuntimeError';
    this.code = SUBAGENT_RUNTIME_REQUEST_SCOPE_ERROR_CODE;
  }
}

/**
 * An error and the errors inside it, each once, nearest first.
 * @param {unknown} error
 * @param {(error: object) => Iterable<unknown>} [resolveNested]
 * @returns {unknown[]}
 */
export function collectErrorGraphCandidates(error, resolveNested) {
  const found = new Set();
  const add = (item) => item !== undefined && item !== null && found.add(item);
  add(error);
  if (!resolveNested) return [...found];
  // A set that grows while it is walked is walked to its end.
  for (const item of found) if (typeof item === 'object') for (const inner of resolveNested(item)) add(inner);
  return [...found];
}

/**
 * @param {unknown} error
 * @returns {string} empty when it has no name
 */
export const readErrorName = (error) => (typeof error === 'object' && typeof error?.name === 'string' ? error.name : '');

/**
 * What is shown of an error that nobody caught: its stack, except for errors in the configuration.
 * @param {unknown} error
 * @returns {string}
 */
export function formatUncaughtError(error) {
  if (!(error instanceof Error) || extractErrorCode(error) === 'INVALID_CONFIG') return formatErrorMessage(error);
  return redactSensitiveText(error.stack ?? error.message ?? error.name);
}

/**
 * Whether the gateway does not know an approval (any more).
 * @param {unknown} error
 * @returns {boolean}
 */
export function isApprovalNotFoundError(error) {
  if (!(error instanceof Error)) return false;
  const { gatewayCode, details } = error;
  const named = gatewayCode === 'APPROVAL_NOT_FOUND' || (gatewayCode === 'INVALID_REQUEST' && details?.reason === 'APPROVAL_NOT_FOUND');
  return named || /unknown or expired approval id/i.test(error.message);
}
