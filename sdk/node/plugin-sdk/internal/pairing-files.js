// Where approved senders are written; the gateway writes the files, plugins ask for them through `pairing-store.js`.
import path from 'node:path';
import { resolveOAuthDir } from './paths.js';

function told(value) {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  if (typeof value === 'string') return value.trim() ? `string length ${value.trim().length}` : 'empty string';
  return typeof value === 'number' && !Number.isFinite(value) ? 'non-finite number' : typeof value;
}

/** A part of a file name that leads nowhere else. */
function fileKey(value, kind) {
  const refuse = (reason) => new Error(`invalid pairing ${kind}: ${reason}; got ${told(value)}`);
  const text = typeof value === 'string' ? value.trim().toLowerCase() : '';
  if (!text) throw refuse('expected non-empty string');
  const safe = text.replace(/[\\/:*?"<>|]/g, '_').replaceAll('..', '_');
  if (safe === '_') throw refuse('sanitized filename key is empty');
  return safe;
}

/**
 * The file of the approved senders of a channel, or of one account of it.
 * @param {string} channel @param {NodeJS.ProcessEnv} [env] @param {string} [accountId]
 * @returns {string}
 */
export function resolveChannelAllowFromPath(channel, env = process.env, accountId) {
  const base = fileKey(channel, 'channel');
  const account = accountId === undefined || accountId === null || (typeof accountId === 'string' && !accountId.trim()) ? [] : [fileKey(accountId, 'account id')];
  return path.join(resolveOAuthDir(env), `${[base, ...account].join('-')}-allowFrom.json`);
}
