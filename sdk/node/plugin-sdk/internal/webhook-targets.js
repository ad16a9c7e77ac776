// Several receivers behind one webhook path.
import { beginWebhookRequestPipelineOrReject } from './webhook-guards.js';
import { normalizeOptionalString } from './strings.js';

/**
 * A path with a leading and without a trailing slash.
 * @param {string} raw
 * @returns {string}
 */
export function normalizeWebhookPath(raw) {
  const text = raw.trim();
  const path = text.startsWith('/') ? text : `/${text}`;
  return path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path;
}

/**
 * The path that configuration means: its path, the path of its URL, or the default.
 * @param {{webhookPath?: string, webhookUrl?: string, defaultPath?: string | null}} params
 * @returns {string | null}
 */
export function resolveWebhookPath({ webhookPath, webhookUrl, defaultPath }) {
  if (webhookPath?.trim()) return normalizeWebhookPath(webhookPath);
  if (!webhookUrl?.trim()) return defaultPath ?? null;
  return URL.canParse(webhookUrl) ? normalizeWebhookPath(new URL(webhookUrl).pathname) : null;
}

/**
 * A route's path, or the fallback, with a leading slash.
 * @param {string | null | undefined} path
 * @param {string | null} [fallback]
 * @returns {string | null}
 */
export function normalizePluginHttpPath(path, fallback) {
  const text = normalizeOptionalString(path) ?? normalizeOptionalString(fallback);
  if (!text) return null;
  return text.startsWith('/') ? text : `/${text}`;
}

const teardowns = new WeakMap();

/**
 * Adds a receiver to its path.
 * @template {{path: string}} T
 * @param {Map<string, T[]>} targetsByPath
 * @param {T} target
 * @param {{onFirstPathTarget?: (info: {path: string, target: T}) => void | (() => void), onLastPathTargetRemoved?: (info: {path: string}) => void}} [options]
 * @returns {{target: T, unregister: () => void}}
 */
export function registerWebhookTarget(targetsByPath, target, options) {
  const path = normalizeWebhookPath(target.path);
  const own = { ...target, path };
  const others = targetsByPath.get(path) ?? [];
  const ends = teardowns.get(targetsByPath) ?? new Map();
  teardowns.set(targetsByPath, ends);
  if (others.length === 0) {
    const end = options?.onFirstPathTarget?.({ path, target: own });
    if (typeof end === 'function') ends.set(path, end);
  }
  targetsByPath.set(path, [...others, own]);
  let active = true;
  const unregister = () => {
    if (!active) return;
    active = false;
    const rest = (targetsByPath.get(path) ?? []).filter((entry) => entry !== own);
    if (rest.length > 0) return void targetsByPath.set(path, rest);
    targetsByPath.delete(path);
    const end = ends.get(path);
    ends.delete(path);
    end?.();
    options?.onLastPathTargetRemoved?.({ path });
  };
  return { target: own, unregister };
}

/**
 * The receivers of a request's path.
 * @template T
 * @param {{url?: string}} req
 * @param {Map<string, T[]>} targetsByPath
 * @returns {{path: string, targets: T[]} | null}
 */
export function resolveWebhookTargets(req, targetsByPath) {
  const path = normalizeWebhookPath(new URL(req.url ?? '/', 'http://localhost').pathname);
  const targets = targetsByPath.get(path);
  return targets?.length ? { path, targets } : null;
}

const matchOf = (found) => (found.length === 1 ? { kind: 'single', target: found[0] } : { kind: found.length === 0 ? 'none' : 'ambiguous' });

/**
 * The one receiver that fits.
 * @template T
 * @param {readonly T[]} targets
 * @param {(target: T) => boolean} isMatch
 * @returns {{kind: 'none'} | {kind: 'ambiguous'} | {kind: 'single', target: T}}
 */
export function resolveSingleWebhookTarget(targets, isMatch) {
  const found = [];
  for (const target of targets) if (isMatch(target) && found.push(target) > 1) break;
  return matchOf(found);
}

/**
 * The same with a check that takes time.
 * @template T
 * @param {readonly T[]} targets
 * @param {(target: T) => Promise<boolean>} isMatch
 * @returns {Promise<{kind: 'none'} | {kind: 'ambiguous'} | {kind: 'single', target: T}>}
 */
export async function resolveSingleWebhookTargetAsync(targets, isMatch) {
  const found = [];
  for (const target of targets) if ((await isMatch(target)) && found.push(target) > 1) break;
  return matchOf(found);
}

function acceptOrReject(params, match) {
  if (match.kind === 'single') return match.target;
  const ambiguous = match.kind === 'ambiguous';
  params.res.statusCode = (ambiguous ? params.ambiguousStatusCode : params.unauthorizedStatusCode) ?? 401;
  params.res.end((ambiguous ? params.ambiguousMessage : params.unauthorizedMessage) ?? (ambiguous ? 'ambiguous webhook target' : 'unauthorized'));
  return null;
}

/**
 * The one receiver that the request authenticates to; answers when there is none or more than one.
 * @param {object} params `targets`, `res`, `isMatch`, and the answers: `unauthorizedStatusCode`, `unauthorizedMessage`, `ambiguousStatusCode`, `ambiguousMessage`
 * @returns {Promise<unknown>} the receiver or `null`
 */
export const resolveWebhookTargetWithAuthOrReject = async (params) =>
  acceptOrReject(params, await resolveSingleWebhookTargetAsync(params.targets, async (target) => params.isMatch(target)));

/**
 * The same without waiting.
 * @param {object} params as of `resolveWebhookTargetWithAuthOrReject`
 * @returns {unknown} the receiver or `null`
 */
export const resolveWebhookTargetWithAuthOrRejectSync = (params) => acceptOrReject(params, resolveSingleWebhookTarget(params.targets, params.isMatch));

/**
 * Answers requests that are no POST.
 * @param {import('node:http').IncomingMessage} req
 * @param {import('node:http').ServerResponse} res
 * @returns {boolean} whether it answered
 */
export function rejectNonPostWebhookRequest(req, res) {
  if (req.method === 'POST') return false;
  res.statusCode = 405;
  res.setHeader('Allow', 'POST');
  res.end('Method Not Allowed');
  return true;
}

/**
 * Finds the receivers of a request, checks it, and hands both to `handle`.
 * @param {object} params `req`, `res`, `targetsByPath`, `handle({path, targets})`, and what `beginWebhookRequestPipelineOrReject` takes
 * @returns {Promise<boolean>} whether the path was known
 */
export async function withResolvedWebhookRequestPipeline(params) {
  const { req, inFlightKey: given } = params;
  const resolved = resolveWebhookTargets(req, params.targetsByPath);
  if (!resolved) return false;
  const made = typeof given === 'function' ? given({ req, ...resolved }) : given;
  const inFlightKey = made ?? (typeof given === 'function' ? undefined : `${resolved.path}:${req.socket?.remoteAddress ?? 'unknown'}`);
  const place = beginWebhookRequestPipelineOrReject({ ...params, inFlightKey });
  if (!place.ok) return true;
  try {
    await params.handle(resolved);
  } finally {
    place.release();
  }
  return true;
}
