// Errors of gateway methods, and addresses that a node reaches a plugin's pages under.
import { randomBytes } from 'node:crypto';
import { normalizeOptionalString } from './strings.js';

/** Codes of gateway errors. */
export const ErrorCodes = { NOT_LINKED: 'NOT_LINKED', NOT_PAIRED: 'NOT_PAIRED', AGENT_TIMEOUT: 'AGENT_TIMEOUT', INVALID_REQUEST: 'INVALID_REQUEST', APPROVAL_NOT_FOUND: 'APPROVAL_NOT_FOUND', UNAVAILABLE: 'UNAVAILABLE' };
/** @param {string} code @param {string} message @param {object} [more] @returns {any} */
export const errorShape = (code, message, more) => ({ code, message, ...more });

/** Answers for a node that did not do what it was asked; true where it did. @param {Function} respond @param {any} result @returns {boolean} */
export function respondUnavailableOnNodeInvokeError(respond, { ok, error }) {
  if (ok) return true;
  const details = error && typeof error === 'object' ? error : {};
  const text = [normalizeOptionalString(details.code), normalizeOptionalString(details.message) ?? 'node invoke failed'].filter(Boolean).join(': ');
  respond(false, undefined, errorShape(ErrorCodes.UNAVAILABLE, text, { details: { nodeError: error ?? null } }));
  return false;
}

/** Whether a node may be asked for a command. @param {{command: string, declaredCommands?: string[], allowlist: Set<string>}} params @returns {{ok: boolean, reason?: string}} */
export function isNodeCommandAllowed({ command, declaredCommands, allowlist }) {
  const name = command.trim();
  const refuse = (reason) => ({ ok: false, reason });
  if (!name) return refuse('command required');
  if (!allowlist.has(name)) return refuse('command not allowlisted');
  if (!Array.isArray(declaredCommands) || declaredCommands.length === 0) return refuse('node did not declare commands');
  return declaredCommands.includes(name) ? { ok: true } : refuse('command not declared by node');
}

/** How long a capability is good, in milliseconds. */
export const DEFAULT_PLUGIN_NODE_CAPABILITY_TTL_MS = 600_000;
/** What stands before a capability in an address. */
export const PLUGIN_NODE_CAPABILITY_PATH_PREFIX = '/__openclaw__/cap';
const QUERY = 'oc_cap';

/** A word that nobody guesses. @returns {string} */
export const mintPluginNodeCapabilityToken = () => randomBytes(18).toString('base64url');
/** An address with a capability in its path. @param {string} baseUrl @param {string} capability @returns {string | undefined} */
export function buildPluginNodeCapabilityScopedHostUrl(baseUrl, capability) {
  const word = normalizeOptionalString(capability);
  if (!word || !URL.canParse(baseUrl)) return undefined;
  const url = new URL(baseUrl);
  url.pathname = `${url.pathname.replace(/\/+$/, '')}${PLUGIN_NODE_CAPABILITY_PATH_PREFIX}/${encodeURIComponent(word)}`;
  url.search = '';
  url.hash = '';
  return url.toString().replace(/\/$/, '');
}

function decoded(word) {
  try {
    return decodeURIComponent(word);
  } catch {
    return undefined;
  }
}
/** Takes a capability out of an address. @param {string} rawUrl @returns {{pathname: string, capability?: string, rewrittenUrl?: string, scopedPath: boolean, malformedScopedPath: boolean}} */
export function normalizePluginNodeCapabilityScopedUrl(rawUrl) {
  const url = new URL(rawUrl, 'http://localhost');
  const prefix = `${PLUGIN_NODE_CAPABILITY_PATH_PREFIX}/`;
  const queried = () => normalizeOptionalString(url.searchParams.get(QUERY));
  if (!url.pathname.startsWith(prefix)) return { pathname: url.pathname, capability: queried(), rewrittenUrl: undefined, scopedPath: false, malformedScopedPath: false };
  const rest = url.pathname.slice(prefix.length);
  const slash = rest.indexOf('/');
  const found = slash > 0 ? normalizeOptionalString(decoded(rest.slice(0, slash))) : undefined;
  if (!found) return { pathname: url.pathname, capability: queried(), rewrittenUrl: undefined, scopedPath: true, malformedScopedPath: true };
  url.pathname = rest.slice(slash);
  if (!url.searchParams.has(QUERY)) url.searchParams.set(QUERY, found);
  return { pathname: url.pathname, capability: found, rewrittenUrl: `${url.pathname}${url.search}`, scopedPath: true, malformedScopedPath: false };
}

/** The options of a command that asks a gateway. @param {any} command @returns {any} */
export const addGatewayClientOptions = (command) =>
  command.option('--url <url>', 'Address of the gateway').option('--token <token>', 'Its token').option('--timeout <ms>', 'Time for an answer, in milliseconds', '30000').option('--expect-final', 'Wait for the last answer', false);
