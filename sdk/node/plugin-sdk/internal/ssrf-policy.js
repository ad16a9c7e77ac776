// Policies for requests to addresses that somebody else chose, made from configuration.
import { isBlockedHostnameOrIp, isPrivateIpAddress, isPrivateNetworkOptInEnabled, resolvePinnedHostnameWithPolicy } from './ssrf.js';
import { isRecord, normalizeLowercaseStringOrEmpty, uniqueStrings } from './strings.js';

/**
 * A policy that allows private networks, when configuration does.
 * @param {unknown} input a flag, or a record with one
 * @returns {{allowPrivateNetwork: true} | undefined}
 */
export const ssrfPolicyFromPrivateNetworkOptIn = (input) => (isPrivateNetworkOptInEnabled(input) ? { allowPrivateNetwork: true } : undefined);

/**
 * @param {unknown} flag
 * @returns {{allowPrivateNetwork: true} | undefined}
 */
export const ssrfPolicyFromDangerouslyAllowPrivateNetwork = (flag) => ssrfPolicyFromPrivateNetworkOptIn(flag);

/**
 * @param {unknown} flag
 * @returns {{allowPrivateNetwork: true} | undefined}
 */
export const ssrfPolicyFromAllowPrivateNetwork = (flag) => ssrfPolicyFromPrivateNetworkOptIn(flag);

const httpUrl = (text) => {
  const url = URL.canParse(text.trim()) ? new URL(text.trim()) : undefined;
  return url && ['http:', 'https:'].includes(url.protocol) ? url : undefined;
};

/**
 * A policy that allows the host of a base URL, wherever it lies.
 * @param {string} baseUrl
 * @returns {{allowedHostnames: string[]} | undefined}
 */
export function ssrfPolicyFromHttpBaseUrlAllowedHostname(baseUrl) {
  const url = httpUrl(baseUrl);
  return url && { allowedHostnames: [url.hostname] };
}

/**
 * One policy that allows what any of them allows.
 * @param {...(object | null | undefined)} policies
 * @returns {object | undefined}
 */
export function mergeSsrFPolicies(...policies) {
  const merged = {};
  for (const policy of policies.filter(Boolean)) {
    for (const flag of ['allowPrivateNetwork', 'dangerouslyAllowPrivateNetwork', 'allowRfc2544BenchmarkRange', 'allowIpv6UniqueLocalRange']) {
      if (policy[flag]) merged[flag] = true;
    }
    for (const names of ['allowedHostnames', 'allowedOrigins', 'hostnameAllowlist']) {
      if (policy[names]?.length) merged[names] = uniqueStrings([...(merged[names] ?? []), ...policy[names]]);
    }
  }
  return Object.keys(merged).length > 0 ? merged : undefined;
}

const suffixOf = (raw) => {
  const text = normalizeLowercaseStringOrEmpty(raw);
  return text === '*' || text === '*.' ? '*' : text.replace(/^\*?\.+/, '').replace(/\.+$/, '');
};

/**
 * Host suffixes in one spelling; `*` stands for all.
 * @param {string[] | undefined} input
 * @param {string[]} [defaults] used when there is no input
 * @returns {string[]}
 */
export function normalizeHostnameSuffixAllowlist(input, defaults) {
  const suffixes = ((input?.length ? input : defaults) ?? []).map(suffixOf).filter(Boolean);
  return suffixes.includes('*') ? ['*'] : uniqueStrings(suffixes);
}

/**
 * Whether a URL is HTTPS and its host, or a parent of it, is on the list.
 * @param {string} url
 * @param {string[]} allowlist
 * @returns {boolean}
 */
export function isHttpsUrlAllowedByHostnameSuffixAllowlist(url, allowlist) {
  if (!URL.canParse(url) || new URL(url).protocol !== 'https:') return false;
  const host = new URL(url).hostname.toLowerCase();
  return allowlist.some((suffix) => suffix === '*' || host === suffix || host.endsWith(`.${suffix}`));
}

/**
 * A policy that allows hosts with these suffixes only; none for `*` and for an empty list.
 * @param {string[]} [allowHosts]
 * @returns {{hostnameAllowlist: string[]} | undefined}
 */
export function buildHostnameAllowlistPolicyFromSuffixAllowlist(allowHosts) {
  const suffixes = normalizeHostnameSuffixAllowlist(allowHosts);
  if (suffixes.length === 0 || suffixes.includes('*')) return undefined;
  return { hostnameAllowlist: suffixes.flatMap((suffix) => [suffix, `*.${suffix}`]) };
}

/**
 * Refuses plain HTTP to hosts outside private networks.
 * @param {string} url
 * @param {{dangerouslyAllowPrivateNetwork?: boolean, allowPrivateNetwork?: boolean, errorMessage?: string, lookupFn?: Function}} [params]
 * @returns {Promise<void>}
 */
export async function assertHttpUrlTargetsPrivateNetwork(url, params = {}) {
  const { protocol, hostname } = new URL(url);
  if (protocol !== 'http:') return;
  const refuse = () => new Error(params.errorMessage ?? 'HTTP URL must target a trusted private/internal host');
  if (!hostname) throw refuse();
  if (isBlockedHostnameOrIp(hostname)) return;
  const flag = params.dangerouslyAllowPrivateNetwork;
  if ((typeof flag === 'boolean' ? flag : params.allowPrivateNetwork) !== true) throw refuse();
  const { addresses } = await resolvePinnedHostnameWithPolicy(hostname, { lookupFn: params.lookupFn, policy: { allowPrivateNetwork: true } });
  if (!addresses.every((address) => isPrivateIpAddress(address))) throw refuse();
}

/**
 * Whether a record has the old flag beside its other settings.
 * @param {unknown} value
 * @returns {boolean}
 */
export const hasLegacyFlatAllowPrivateNetworkAlias = (value) => isRecord(value) && Object.hasOwn(value, 'allowPrivateNetwork');

/**
 * Moves the old flag to `network.dangerouslyAllowPrivateNetwork`; a value that is there already wins.
 * @param {{entry: Record<string, unknown>, pathPrefix: string, changes: string[]}} params
 * @returns {{entry: Record<string, unknown>, changed: boolean}}
 */
export function migrateLegacyFlatAllowPrivateNetworkAlias({ entry, pathPrefix, changes }) {
  if (!hasLegacyFlatAllowPrivateNetworkAlias(entry)) return { entry, changed: false };
  const { allowPrivateNetwork, network: rawNetwork, ...rest } = entry;
  const { dangerouslyAllowPrivateNetwork: current, ...network } = isRecord(rawNetwork) ? rawNetwork : {};
  const value = typeof current === 'boolean' || (current !== undefined && typeof allowPrivateNetwork !== 'boolean') ? current : allowPrivateNetwork;
  if (value !== undefined) network.dangerouslyAllowPrivateNetwork = value;
  changes.push(`Moved ${pathPrefix}.allowPrivateNetwork → ${pathPrefix}.network.dangerouslyAllowPrivateNetwork (${String(value)}).`);
  return { entry: Object.keys(network).length > 0 ? { ...rest, network } : rest, changed: true };
}

/**
 * How `doctor` moves a channel's old `allowPrivateNetwork` to where it is read now.
 * @param {{channelKey: string}} params
 * @returns {{legacyConfigRules: object[], normalizeCompatibilityConfig: (params: {cfg: object}) => {config: object, changes: string[]}}}
 */
export function createLegacyPrivateNetworkDoctorContract({ channelKey }) {
  const prefix = `channels.${channelKey}`;
  const old = hasLegacyFlatAllowPrivateNetworkAlias;
  const hint = (where) => `${where}.allowPrivateNetwork is legacy; use ${where}.network.dangerouslyAllowPrivateNetwork instead. Run "openclaw doctor --fix".`;
  const move = (entry, pathPrefix, changes) => migrateLegacyFlatAllowPrivateNetworkAlias({ entry, pathPrefix, changes }).entry;
  return {
    legacyConfigRules: [
      { path: ['channels', channelKey], message: hint(prefix), match: (value) => old(value) },
      { path: ['channels', channelKey, 'accounts'], message: hint(`${prefix}.accounts.<id>`), match: (value) => isRecord(value) && Object.values(value).some(old) },
    ],
    normalizeCompatibilityConfig({ cfg }) {
      const section = cfg.channels?.[channelKey];
      const changes = [];
      if (!isRecord(section)) return { config: cfg, changes };
      let next = move(section, prefix, changes);
      if (isRecord(next.accounts)) {
        const accounts = Object.entries(next.accounts).map(([id, account]) => [id, isRecord(account) ? move(account, `${prefix}.accounts.${id}`, changes) : account]);
        next = { ...next, accounts: Object.fromEntries(accounts) };
      }
      return changes.length === 0 ? { config: cfg, changes } : { config: { ...cfg, channels: { ...cfg.channels, [channelKey]: next } }, changes };
    },
  };
}
