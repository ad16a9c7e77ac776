// Errors as text.
import { redactSensitiveText } from './redact.js';

/** The message of anything thrown, with its causes, and without credentials. */
export function formatErrorMessage(error) {
  return redactSensitiveText(plainMessage(error));
}

function plainMessage(error) {
  if (error instanceof Error) return [error.message || error.name || 'Error', ...causesOf(error)].join(' | ');
  if (typeof error === 'string') return error;
  if (['number', 'boolean', 'bigint'].includes(typeof error)) return String(error);
  try {
    return JSON.stringify(error);
  } catch {
    return Object.prototype.toString.call(error);
  }
}

function causesOf(error) {
  const seen = new Set([error]);
  const out = [];
  for (let cause = error.cause; cause && !seen.has(cause); cause = cause.cause) {
    seen.add(cause);
    if (typeof cause === 'string') out.push(cause);
    if (!(cause instanceof Error)) break;
    if (cause.message) out.push(cause.message);
  }
  return out;
}

/** The `code` of an error, when it is text. */
export const extractErrorCode = (error) => (typeof error?.code === 'string' ? error.code : typeof error?.code === 'number' ? String(error.code) : undefined);

/** A message for people about a missing target. */
export const missingTargetError = (provider, hint) => new Error(`Delivering to ${provider} requires target${hint?.trim() ? ` ${hint.trim()}` : ''}`);
