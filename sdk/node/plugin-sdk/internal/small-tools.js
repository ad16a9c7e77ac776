// Small tools that older plugins find beside everything else.
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { extractErrorCode, formatErrorMessage } from './error-text.js';
import { normalizeHostname } from './hostnames.js';
import { resolveRequiredHomeDir } from './paths.js';
import { normalizeScpRemoteHost } from './remote-hosts.js';
import { resolveRetryConfig, retryAsync } from './retry.js';
import { asBoolean, isRecord, normalizeLowercaseStringOrEmpty, normalizeOptionalLowercaseString, normalizeOptionalString, normalizeStringEntries, normalizeStringifiedOptionalString, normalizeTrimmedStringList, sortUniqueStrings, uniqueStrings } from './strings.js';
import { parseDurationMs } from './values.js';

export const POSIX_OPENCLAW_TMP_DIR = '/tmp/openclaw';
export const PROXY_ENV_KEYS = ['HTTP_PROXY', 'HTTPS_PROXY', 'ALL_PROXY', 'http_proxy', 'https_proxy', 'all_proxy'];
export const GUARDED_FETCH_MODE = { STRICT: 'strict', TRUSTED_ENV_PROXY: 'trusted_env_proxy', TRUSTED_EXPLICIT_PROXY: 'trusted_explicit_proxy' };
/** @template T @param {T} params @returns {T & {mode: string}} */
export const withStrictGuardedFetchMode = (params) => ({ ...params, mode: GUARDED_FETCH_MODE.STRICT });
/** @template T @param {T} params @returns {T & {mode: string}} */
export const withTrustedExplicitProxyGuardedFetchMode = (params) => ({ ...params, mode: GUARDED_FETCH_MODE.TRUSTED_EXPLICIT_PROXY });

/** @param {unknown} error @returns {boolean} */
export const isErrno = (error) => Boolean(error && typeof error === 'object' && 'code' in error);
/** @param {unknown} error @param {string} code @returns {boolean} */
export const hasErrnoCode = (error, code) => isErrno(error) && error.code === code;
const KINDS = [
  ['refusal', ['refusal', 'content_filter', 'sensitive'], []], ['timeout', ['timeout'], ['etimedout', 'timeout']],
  ['rate_limit', ['rate limit', 'too many requests', '429'], ['429']], ['context_length', ['context length', 'too many tokens', 'token limit', 'context_window'], []],
];
/** What an error of a model is about. @param {unknown} error @returns {'refusal' | 'timeout' | 'rate_limit' | 'context_length' | undefined} */
export function detectErrorKind(error) {
  if (error === undefined) return undefined;
  const [message, code] = [formatErrorMessage(error).toLowerCase(), extractErrorCode(error)?.toLowerCase()];
  return KINDS.find(([, words, codes]) => words.some((word) => message.includes(word)) || codes.includes(code))?.[0];
}
/** A cause that is no error, as text. @param {unknown} value @returns {string} */
export function stringifyNonErrorCause(value) {
  if (value === null || ['string', 'number', 'boolean', 'bigint'].includes(typeof value)) return String(value);
  try {
    return JSON.stringify(value) ?? Object.prototype.toString.call(value);
  } catch {
    return Object.prototype.toString.call(value);
  }
}
/** A listener that ends a controller. @param {AbortController} controller @returns {() => void} */
export const bindAbortRelay = (controller) => () => controller.abort();

/** @param {NodeJS.ProcessEnv} [env] @returns {boolean} */
export const isVitestRuntimeEnv = (env = process.env) => ['true', '1'].includes(env.VITEST) || env.VITEST_POOL_ID !== undefined || env.VITEST_WORKER_ID !== undefined || env.NODE_ENV === 'test';
/** @returns {boolean} */
export const isWSLEnv = () => Boolean(process.env.WSL_INTEROP || process.env.WSL_DISTRO_NAME || process.env.WSLENV);
/** @param {unknown} platform @returns {boolean} */
export const isWindowsPlatform = (platform) => normalizeLowercaseStringOrEmpty(platform).startsWith('win');

/** An argument for `cmd.exe`; one that would mean something to it is refused. @param {string} value @returns {{ok: true, escaped: string} | {ok: false}} */
export function windowsEscapeArg(value) {
  if (/[%`]|\$(?=[A-Za-z_{(?$])/.test(value)) return { ok: false };
  return { ok: true, escaped: /^[a-zA-Z0-9_./:~\\=-]+$/.test(value) ? value : `"${value.replaceAll('"', '""')}"` };
}

/** A path on another machine that a shell there reads as written. @param {unknown} value @returns {string | undefined} */
export function normalizeScpRemotePath(value) {
  const text = normalizeOptionalString(value);
  return text?.startsWith('/') && !/[\u0000-\u001f\u007f\\"'`$;|&<>]/.test(text) ? text : undefined;
}
/** @param {unknown} value @returns {boolean} */
export const isSafeScpRemoteHost = (value) => normalizeScpRemoteHost(value) !== undefined;
/** @param {unknown} value @returns {boolean} */
export const isSafeScpRemotePath = (value) => normalizeScpRemotePath(value) !== undefined;

const LOCAL_HOSTS = ['localhost', 'localhost.localdomain', 'metadata.google.internal'];
/** Whether a name is of this machine or its network. @param {string} hostname @returns {boolean} */
export function isBlockedHostname(hostname) {
  const name = normalizeHostname(hostname);
  return LOCAL_HOSTS.includes(name) || ['.localhost', '.local', '.internal'].some((end) => name.endsWith(end));
}
/** `*.a.b` stands for all names below. @param {string} hostname @param {string} pattern @returns {boolean} */
export const isHostnameAllowedByPattern = (hostname, pattern) => (pattern.startsWith('*.') ? pattern.length > 2 && hostname.endsWith(pattern.slice(1)) && hostname !== pattern.slice(2) : hostname === pattern);
/** An empty list allows all. @param {string} hostname @param {string[]} allowlist @returns {boolean} */
export const matchesHostnameAllowlist = (hostname, allowlist) => allowlist.length === 0 || allowlist.some((pattern) => isHostnameAllowedByPattern(hostname, pattern));
/** @param {string[] | undefined} values @returns {string[]} */
export const normalizeHostnameAllowlist = (values) => uniqueStrings((values ?? []).map(normalizeHostname).filter((value) => value && value !== '*' && value !== '*.'));
const FLAGS = ['allowPrivateNetwork', 'dangerouslyAllowPrivateNetwork', 'allowRfc2544BenchmarkRange', 'allowIpv6UniqueLocalRange'];
const policyKey = (policy) => policy && [FLAGS.map((flag) => policy[flag] === true), [...new Set((policy.allowedHostnames ?? []).map(normalizeHostname).filter(Boolean))].sort(), [...new Set(policy.allowedOrigins ?? [])].sort(), normalizeHostnameAllowlist(policy.hostnameAllowlist).sort()];
/** @param {object | undefined} a @param {object | undefined} b @returns {boolean} */
export const isSameSsrFPolicy = (a, b) => JSON.stringify(policyKey(a) ?? null) === JSON.stringify(policyKey(b) ?? null);
/** A policy for one host whose name a proxy on this machine resolves. @param {string} baseUrl @returns {object | undefined} */
export function ssrfPolicyFromHttpBaseUrlFakeIpHostnameAllowlist(baseUrl) {
  const url = URL.parse(baseUrl.trim());
  return url && /^https?:$/.test(url.protocol) ? { allowRfc2544BenchmarkRange: true, allowIpv6UniqueLocalRange: true, hostnameAllowlist: [url.hostname] } : undefined;
}

/** Whether a flag is in a list; `*` ends stand for what follows. @param {string} flag @param {string[]} enabled @returns {boolean} */
export function matchesDiagnosticFlag(flag, enabled) {
  const wanted = normalizeLowercaseStringOrEmpty(flag);
  const fits = (one) => one === '*' || one === 'all' || one === wanted || (one.endsWith('.*') && wanted === one.slice(0, -2)) || (one.endsWith('*') && wanted.startsWith(one.slice(0, -1)));
  return wanted !== '' && enabled.map(normalizeLowercaseStringOrEmpty).filter(Boolean).some(fits);
}
/** The flags of the configuration and the environment, which may switch all off. @param {object} [cfg] @param {NodeJS.ProcessEnv} [env] @returns {string[]} */
export function resolveDiagnosticFlags(cfg, env = process.env) {
  const named = normalizeLowercaseStringOrEmpty(env.OPENCLAW_DIAGNOSTICS);
  if (['0', 'false', 'off', 'none'].includes(named)) return [];
  const own = Array.isArray(cfg?.diagnostics?.flags) ? cfg.diagnostics.flags : [];
  return uniqueStrings([...own, ...(['1', 'true', 'all', '*'].includes(named) ? ['*'] : named.split(/[,\s]+/))].map(normalizeLowercaseStringOrEmpty).filter(Boolean));
}

const homeOf = (env, homedir) => normalizeOptionalString(env.HOME) ?? normalizeOptionalString(env.USERPROFILE) ?? normalizeOptionalString(homedir());
/** The home of the user, whatever OpenClaw's is. @param {NodeJS.ProcessEnv} [env] @param {() => string} [homedir] @returns {string | undefined} */
export function resolveOsHomeDir(env = process.env, homedir = os.homedir) {
  const home = homeOf(env, homedir);
  return home && path.resolve(home);
}
/** @param {NodeJS.ProcessEnv} [env] @param {() => string} [homedir] @returns {string} */
export const resolveRequiredOsHomeDir = (env, homedir) => resolveOsHomeDir(env, homedir) ?? path.resolve(process.cwd());
/** @param {NodeJS.ProcessEnv} [env] @param {() => string} [homedir] @returns {string | undefined} */
export const resolveEffectiveHomeDir = (env = process.env, homedir = os.homedir) => (normalizeOptionalString(env.OPENCLAW_HOME) || homeOf(env, homedir) ? resolveRequiredHomeDir(env, homedir) : undefined);
/** A path with the home directory in place of `~`. @param {string} input @param {{home?: string, env?: NodeJS.ProcessEnv, homedir?: () => string}} [options] @returns {string} */
export function expandHomePrefix(input, options) {
  if (!input.startsWith('~')) return input;
  const home = normalizeOptionalString(options?.home) ?? resolveEffectiveHomeDir(options?.env, options?.homedir);
  return home ? input.replace(/^~(?=$|[\\/])/, () => home) : input;
}
const absolute = (input, home, options) => (input.trim() ? path.resolve(expandHomePrefix(input.trim(), { ...options, home })) : '');
/** @param {string} input @param {{env?: NodeJS.ProcessEnv, homedir?: () => string}} [options] @returns {string} */
export const resolveHomeRelativePath = (input, options) => absolute(input, resolveRequiredHomeDir(options?.env, options?.homedir), options);
/** @param {string} input @param {{env?: NodeJS.ProcessEnv, homedir?: () => string}} [options] @returns {string} */
export const resolveOsHomeRelativePath = (input, options) => absolute(input, resolveRequiredOsHomeDir(options?.env, options?.homedir), options);

/** How calls of channels are repeated, times in ms. */
export const CHANNEL_API_RETRY_DEFAULTS = { attempts: 3, minDelayMs: 400, maxDelayMs: 30_000, jitter: 0.1 };
const TRANSIENT = /429|timeout|connect|reset|closed|unavailable|temporarily/i;
const retryAfter = (error) => {
  const seconds = error?.parameters?.retry_after ?? error?.response?.parameters?.retry_after ?? error?.error?.parameters?.retry_after;
  return typeof seconds === 'number' && Number.isFinite(seconds) ? seconds * 1000 : undefined;
};
/** Repeats calls of a channel. @param {{retry?: object, configRetry?: object, shouldRetry?: (error: unknown) => boolean, strictShouldRetry?: boolean}} params @returns {<T>(run: () => Promise<T>, label?: string) => Promise<T>} */
export function createChannelApiRetryRunner({ retry, configRetry, shouldRetry, strictShouldRetry }) {
  const settings = resolveRetryConfig(CHANNEL_API_RETRY_DEFAULTS, { ...configRetry, ...retry });
  const again = (error) => Boolean(shouldRetry?.(error)) || (!(shouldRetry && strictShouldRetry) && TRANSIENT.test(formatErrorMessage(error)));
  return (run, label) => retryAsync(run, { ...settings, label, shouldRetry: again, retryAfterMs: retryAfter });
}
/** How often an agent is woken, in ms; `null` for never. @param {object} cfg @param {string} [overrideEvery] @param {{every?: string}} [heartbeat] @returns {number | null} */
export function resolveHeartbeatIntervalMs(cfg, overrideEvery, heartbeat) {
  const text = normalizeOptionalString(overrideEvery ?? heartbeat?.every ?? cfg.agents?.defaults?.heartbeat?.every ?? '30m');
  try {
    const ms = text ? parseDurationMs(text, { defaultUnit: 'm' }) : 0;
    return ms > 0 ? ms : null;
  } catch {
    return null;
  }
}
/** Throws when something listens on a port of this machine. @param {number} port @returns {Promise<void>} */
export async function ensurePortAvailable(port) {
  await new Promise((resolve, reject) => {
    const server = net.createServer().once('error', reject).once('listening', () => server.close(resolve)).listen(port);
  }).catch((error) => {
    throw error.code === 'EADDRINUSE' ? Object.assign(new Error(`Port ${port} is already in use.`), { name: 'PortInUseError', port }) : error;
  });
}

/** @param {unknown} value @returns {boolean} */
export const isNonEmptyString = (value) => typeof value === 'string' && value.trim() !== '';
/** @param {unknown} value @returns {object | null} lists count */
export const asNullableObjectRecord = (value) => (value && typeof value === 'object' ? value : null);
/** @param {unknown} value @returns {object | undefined} lists count */
export const asOptionalObjectRecord = (value) => asNullableObjectRecord(value) ?? undefined;
/** @param {unknown} value @returns {string[] | undefined} */
export const normalizeArrayBackedTrimmedStringList = (value) => (Array.isArray(value) ? normalizeTrimmedStringList(value) : undefined);
/** A list, or a text with commas. @param {unknown} value @returns {string[]} */
export const normalizeCsvOrLooseStringList = (value) => (Array.isArray(value) ? normalizeStringEntries(value) : typeof value === 'string' ? value.split(',').map((entry) => entry.trim()).filter(Boolean) : []);
/** A text, or the `primary` of an object. @param {unknown} value @returns {string | undefined} */
export const resolvePrimaryStringValue = (value) => normalizeOptionalString(isRecord(value) ? value.primary : value);
/** @param {unknown} value @returns {string[]} */
export const normalizeUniqueTrimmedStringList = (value) => uniqueStrings(normalizeTrimmedStringList(value));
/** @param {unknown} value @returns {string[]} */
export const normalizeSortedUniqueTrimmedStringList = (value) => sortUniqueStrings(normalizeTrimmedStringList(value));
/** @param {unknown[] | undefined} values @returns {string[]} */
export const normalizeStringifiedEntries = (values) => (values ?? []).map(normalizeStringifiedOptionalString).filter(Boolean);
/** @param {unknown} value @param {{truthy?: string[], falsy?: string[]}} [options] @returns {boolean | undefined} */
export function parseBooleanValue(value, { truthy = ['true', '1', 'yes', 'on'], falsy = ['false', '0', 'no', 'off'] } = {}) {
  const word = typeof value === 'string' ? normalizeOptionalLowercaseString(value) : undefined;
  return asBoolean(value) ?? (word === undefined ? undefined : truthy.includes(word) ? true : falsy.includes(word) ? false : undefined);
}
/** @param {unknown} value @param {number} fallback @returns {number} */
export const normalizePositiveInt = (value, fallback) => Math.max(1, Math.floor(Number.isFinite(value) ? value : fallback));
/** `a.b` in its parts. @param {string} pathname @returns {string[]} */
export const parseDotPath = (pathname) => pathname.split('.').map((part) => part.trim()).filter(Boolean);
/** @param {string[]} segments @returns {string} */
export const toDotPath = (segments) => segments.join('.');
/** A value of an `.env` file. @param {string} raw @returns {string} */
export function parseEnvValue(raw) {
  const text = raw.trim();
  return (text.startsWith('"') && text.endsWith('"')) || (text.startsWith("'") && text.endsWith("'")) ? text.slice(1, -1) : text;
}
const on = (value) => !(isRecord(value) && value.enabled === false);
/** @param {object} channel @param {object} account @returns {boolean} */
export const isChannelAccountEffectivelyEnabled = (channel, account) => on(channel) && on(account);

/** Where a session with words from outside comes from. @param {string} sessionKey @returns {'gmail' | 'webhook' | undefined} */
export function resolveHookExternalContentSource(sessionKey) {
  const key = normalizeLowercaseStringOrEmpty(sessionKey);
  return key.startsWith('hook:gmail:') ? 'gmail' : key.startsWith('hook:') ? 'webhook' : undefined;
}
/** @param {string} source @returns {'email' | 'webhook'} */
export const mapHookExternalContentSource = (source) => (source === 'gmail' ? 'email' : 'webhook');
/** @param {string} sessionKey @returns {boolean} */
export const isExternalHookSession = (sessionKey) => resolveHookExternalContentSource(sessionKey) !== undefined;
/** @param {string} sessionKey @returns {'email' | 'webhook' | 'unknown'} */
export const getHookType = (sessionKey) => (isExternalHookSession(sessionKey) ? mapHookExternalContentSource(resolveHookExternalContentSource(sessionKey)) : 'unknown');

/** When a session that does not move is told, in ms. @param {object} [config] @returns {number} */
export function resolveStuckSessionWarnMs(config) {
  const ms = Math.floor(typeof config?.diagnostics?.stuckSessionWarnMs === 'number' ? config.diagnostics.stuckSessionWarnMs : NaN);
  return ms >= 1000 && ms <= 86_400_000 ? ms : 120_000;
}
/** When it is ended, in ms. @param {object | undefined} config @param {number} warnMs @returns {number} */
export function resolveStuckSessionAbortMs(config, warnMs) {
  const ms = config?.diagnostics?.stuckSessionAbortMs;
  return typeof ms === 'number' && Math.floor(ms) > 0 && Number.isFinite(ms) ? Math.max(warnMs, Math.floor(ms)) : Math.max(600_000, warnMs * 5);
}
