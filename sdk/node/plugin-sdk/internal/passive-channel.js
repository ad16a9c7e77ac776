// Small parts of channels that only listen.
import { createRequire } from 'node:module';
import { hasEnvHttpProxyConfigured } from './proxy-env.js';

/**
 * A channel's state for `status`.
 * @param {object} snapshot
 * @param {object} [extra]
 * @returns {object}
 */
export const buildPassiveChannelStatusSummary = (snapshot, extra) => ({
  configured: snapshot.configured ?? false,
  ...extra,
  running: snapshot.running ?? false,
  lastStartAt: snapshot.lastStartAt ?? null,
  lastStopAt: snapshot.lastStopAt ?? null,
  lastError: snapshot.lastError ?? null,
});

/**
 * The same with the last probe.
 * @param {object} snapshot
 * @param {object} [extra]
 * @returns {object}
 */
export const buildPassiveProbedChannelStatusSummary = (snapshot, extra) => ({
  ...buildPassiveChannelStatusSummary(snapshot, extra),
  probe: snapshot.probe,
  lastProbeAt: snapshot.lastProbeAt ?? null,
});

/**
 * When a channel last received and sent.
 * @param {{lastInboundAt?: number | null, lastOutboundAt?: number | null} | undefined} snapshot
 * @returns {{lastInboundAt: number | null, lastOutboundAt: number | null}}
 */
export const buildTrafficStatusSummary = (snapshot) => ({ lastInboundAt: snapshot?.lastInboundAt ?? null, lastOutboundAt: snapshot?.lastOutboundAt ?? null });

/**
 * @param {unknown} value
 * @returns {string | undefined}
 */
export const coerceStatusIssueAccountId = (value) => (['string', 'number'].includes(typeof value) ? String(value) : undefined);

/**
 * Some members of a record.
 * @param {unknown} value
 * @param {readonly string[]} fields
 * @returns {Record<string, unknown> | null}
 */
export const readStatusIssueFields = (value, fields) => (value && typeof value === 'object' ? Object.fromEntries(fields.map((field) => [field, value[field]])) : null);

/**
 * Says in a schema check that an open channel needs `*` among its senders.
 * @param {{channel: string, policy: unknown, allowFrom: unknown, ctx: unknown, requireOpenAllowFrom: (params: object) => void}} params
 * @returns {void}
 */
export function requireChannelOpenAllowFrom({ channel, policy, allowFrom, ctx, requireOpenAllowFrom }) {
  const section = `channels.${channel}`;
  requireOpenAllowFrom({ policy, allowFrom, ctx, path: ['allowFrom'], message: `${section}.dmPolicy="open" requires ${section}.allowFrom to include "*"` });
}

/**
 * A promise with its two ends.
 * @returns {{promise: Promise<unknown>, resolve: (value?: unknown) => void, reject: (reason?: unknown) => void}}
 */
export const createDeferred = () => Promise.withResolvers();

/**
 * The version in the package.json of a plugin.
 * @param {{require?: NodeRequire, moduleUrl?: string, candidates?: string[], fallback?: string}} params
 * @returns {string}
 */
export function readPluginPackageVersion({ require = undefined, moduleUrl, candidates = ['../package.json', './package.json', '../../package.json'], fallback = 'unknown' }) {
  const load = require ?? createRequire(moduleUrl);
  for (const candidate of candidates) {
    try {
      const { version } = load(candidate);
      if (typeof version === 'string' && version.trim()) return version;
    } catch {
      // The next one.
    }
  }
  return fallback;
}

/**
 * An agent for the proxy of the environment.
 * @param {{protocol?: 'http' | 'https', onUsingProxy?: () => void, onError?: (error: unknown) => void}} [params]
 * @returns {Promise<object | undefined>} `undefined` when there is none
 */
export async function resolveAmbientNodeProxyAgent(params) {
  const protocol = params?.protocol ?? 'https';
  if (!hasEnvHttpProxyConfigured(protocol)) return undefined;
  try {
    const [{ createNodeProxyAgent }, { resolveEnvHttpProxyUrl }] = await Promise.all([import('./proxy-tunnel.js'), import('./proxy-env.js')]);
    params?.onUsingProxy?.();
    return createNodeProxyAgent({ mode: 'explicit', proxyUrl: resolveEnvHttpProxyUrl(protocol), protocol });
  } catch (error) {
    params?.onError?.(error);
    return undefined;
  }
}

/**
 * Whether a reference to an environment variable may be read without side effects.
 * @param {{cfg?: object, provider: string, id: string}} params
 * @returns {boolean}
 */
export function canResolveEnvSecretRefInReadOnlyPath({ cfg, provider, id }) {
  const configured = cfg?.secrets?.providers?.[provider];
  if (!configured) return provider === (cfg?.secrets?.defaults?.env?.trim() || 'default');
  if (configured.source !== 'env') return false;
  return !configured.allowlist || configured.allowlist.includes(id);
}
