// Warnings about groups that are open to everybody, and collectors that put them together.
import { asBoolean, isRecord, uniqueStrings } from './strings.js';
import { createScopedDmSecurityResolver, isDangerousNameMatchingEnabled } from './channel-config.js';
import {
  buildOpenGroupPolicyWarning, resolveAllowlistProviderRuntimeGroupPolicy, resolveDefaultGroupPolicy, resolveOpenProviderRuntimeGroupPolicy,
} from './group-policy.js';

/** @typedef {(params: any) => string[]} WarningCollector */

const mention = (gated) => (gated === false ? '' : ' (mention-gated)');

/**
 * A warning that tells to restrict who may speak in groups.
 * @param {{surface: string, openScope: string, groupPolicyPath: string, groupAllowFromPath: string, mentionGated?: boolean}} params
 * @returns {string}
 */
export const buildOpenGroupPolicyRestrictSendersWarning = ({ surface, openScope, groupPolicyPath, groupAllowFromPath, mentionGated }) =>
  buildOpenGroupPolicyWarning({
    surface,
    openBehavior: `allows ${openScope} to trigger${mention(mentionGated)}`,
    remediation: `Set ${groupPolicyPath}="allowlist" + ${groupAllowFromPath} to restrict senders`,
  });

/**
 * A warning that tells to list the groups that may speak.
 * @param {{surface: string, openScope: string, groupPolicyPath: string, routeAllowlistPath: string, mentionGated?: boolean}} params
 * @returns {string}
 */
export const buildOpenGroupPolicyConfigureRouteAllowlistWarning = ({ surface, openScope, groupPolicyPath, routeAllowlistPath, mentionGated }) =>
  buildOpenGroupPolicyWarning({
    surface,
    openBehavior: `allows ${openScope} to trigger${mention(mentionGated)}`,
    remediation: `Set ${groupPolicyPath}="allowlist" and configure ${routeAllowlistPath}`,
  });

const noRouteAllowlistWarning = ({ surface, routeScope, routeAllowlistPath, groupPolicyPath, groupAllowFromPath, mentionGated }) =>
  buildOpenGroupPolicyWarning({
    surface,
    openBehavior: `with no ${routeAllowlistPath} allowlist; any ${routeScope} can add + ping${mention(mentionGated)}`,
    remediation: `Set ${groupPolicyPath}="allowlist" + ${groupAllowFromPath} or configure ${routeAllowlistPath}`,
  });

const whenOpen = (groupPolicy, build) => (groupPolicy === 'open' ? [build()] : []);

/** Warns of an open group policy, telling to restrict senders. @param {any} params @returns {string[]} */
export const collectOpenGroupPolicyRestrictSendersWarnings = (params) =>
  whenOpen(params.groupPolicy, () => buildOpenGroupPolicyRestrictSendersWarning(params));

/** The same for channels whose groups can be listed. @param {any} params @returns {string[]} */
export const collectOpenGroupPolicyRouteAllowlistWarnings = ({ groupPolicy, routeAllowlistConfigured, restrictSenders, noRouteAllowlist }) =>
  whenOpen(groupPolicy, () => (routeAllowlistConfigured ? buildOpenGroupPolicyRestrictSendersWarning(restrictSenders) : noRouteAllowlistWarning(noRouteAllowlist)));

/** The same where the advice depends on whether groups are listed. @param {any} params @returns {string[]} */
export const collectOpenGroupPolicyConfiguredRouteWarnings = ({ groupPolicy, routeAllowlistConfigured, configureRouteAllowlist, missingRouteAllowlist }) =>
  whenOpen(groupPolicy, () => (routeAllowlistConfigured ? buildOpenGroupPolicyConfigureRouteAllowlistWarning(configureRouteAllowlist) : buildOpenGroupPolicyWarning(missingRouteAllowlist)));

const withPolicy = (resolvePolicy) => ({ cfg, providerConfigPresent, configuredGroupPolicy, collect }) =>
  collect(resolvePolicy({ providerConfigPresent, groupPolicy: configuredGroupPolicy ?? undefined, defaultGroupPolicy: resolveDefaultGroupPolicy(cfg) }).groupPolicy);

/** Collects with the policy in force of a channel that defaults to an allow list. @type {(params: any) => string[]} */
export const collectAllowlistProviderGroupPolicyWarnings = withPolicy(resolveAllowlistProviderRuntimeGroupPolicy);
/** Collects with the policy in force of a channel that is open by default. @type {(params: any) => string[]} */
export const collectOpenProviderGroupPolicyWarnings = withPolicy(resolveOpenProviderRuntimeGroupPolicy);

/** Both steps in one. @param {any} params @returns {string[]} */
export const collectAllowlistProviderRestrictSendersWarnings = (params) =>
  collectAllowlistProviderGroupPolicyWarnings({
    ...params,
    collect: (groupPolicy) => collectOpenGroupPolicyRestrictSendersWarnings({ ...params, groupPolicy }),
  });

const collectorWith = (collectWithPolicy) => ({ providerConfigPresent, resolveGroupPolicy, collect }) => (runtime) =>
  collectWithPolicy({
    cfg: runtime.cfg,
    providerConfigPresent: providerConfigPresent(runtime.cfg),
    configuredGroupPolicy: resolveGroupPolicy(runtime),
    collect: (groupPolicy) => collect({ ...runtime, groupPolicy }),
  });

/** A collector over `{cfg, account}` with the policy in force. @type {(params: any) => WarningCollector} */
export const createAllowlistProviderGroupPolicyWarningCollector = collectorWith(collectAllowlistProviderGroupPolicyWarnings);
/** The same for channels that are open by default. @type {(params: any) => WarningCollector} */
export const createOpenProviderGroupPolicyWarningCollector = collectorWith(collectOpenProviderGroupPolicyWarnings);

/** Warns when anybody may speak in groups. @param {any} params @returns {WarningCollector} */
export const createAllowlistProviderRestrictSendersWarningCollector = ({ providerConfigPresent, resolveGroupPolicy, ...warning }) =>
  createAllowlistProviderGroupPolicyWarningCollector({
    providerConfigPresent,
    resolveGroupPolicy: ({ account }) => resolveGroupPolicy(account),
    collect: ({ groupPolicy }) => collectOpenGroupPolicyRestrictSendersWarnings({ ...warning, groupPolicy }),
  });

/** Warns when groups are open, with advice for listed and unlisted groups. @param {any} params @returns {WarningCollector} */
export const createAllowlistProviderRouteAllowlistWarningCollector = ({ providerConfigPresent, resolveGroupPolicy, resolveRouteAllowlistConfigured, restrictSenders, noRouteAllowlist }) =>
  createAllowlistProviderGroupPolicyWarningCollector({
    providerConfigPresent,
    resolveGroupPolicy: ({ account }) => resolveGroupPolicy(account),
    collect: ({ account, groupPolicy }) =>
      collectOpenGroupPolicyRouteAllowlistWarnings({ groupPolicy, routeAllowlistConfigured: resolveRouteAllowlistConfigured(account), restrictSenders, noRouteAllowlist }),
  });

/** The same for channels that are open by default. @param {any} params @returns {WarningCollector} */
export const createOpenProviderConfiguredRouteWarningCollector = ({ providerConfigPresent, resolveGroupPolicy, resolveRouteAllowlistConfigured, configureRouteAllowlist, missingRouteAllowlist }) =>
  createOpenProviderGroupPolicyWarningCollector({
    providerConfigPresent,
    resolveGroupPolicy: ({ account }) => resolveGroupPolicy(account),
    collect: ({ account, groupPolicy }) =>
      collectOpenGroupPolicyConfiguredRouteWarnings({ groupPolicy, routeAllowlistConfigured: resolveRouteAllowlistConfigured(account), configureRouteAllowlist, missingRouteAllowlist }),
  });

/** Warns from the account alone. @param {any} params @returns {(account: any) => string[]} */
export const createOpenGroupPolicyRestrictSendersWarningCollector = ({ resolveGroupPolicy, defaultGroupPolicy, ...warning }) => (account) =>
  collectOpenGroupPolicyRestrictSendersWarnings({ ...warning, groupPolicy: resolveGroupPolicy(account) ?? defaultGroupPolicy ?? 'allowlist' });

/** Runs collectors one after another. @param {...(WarningCollector|undefined)} collectors @returns {WarningCollector} */
export const composeWarningCollectors = (...collectors) => (params) => collectors.flatMap((collector) => collector?.(params) ?? []);

/** Collectors that return one warning, several or none. @param {...Function} collectors @returns {WarningCollector} */
export const createConditionalWarningCollector = (...collectors) => (params) =>
  collectors.flatMap((collector) => {
    const found = collector(params);
    return Array.isArray(found) ? found : found ? [found] : [];
  });

/** A collector, and others that see only the account. @param {WarningCollector|undefined} base @param {...Function} collectors @returns {WarningCollector} */
export const composeAccountWarningCollectors = (base, ...collectors) =>
  composeWarningCollectors(base, createConditionalWarningCollector(...collectors.map((collector) => ({ account }) => collector(account))));

/** A collector behind a projection of its parameters. @param {Function} project @param {Function} collector @returns {WarningCollector} */
export const projectWarningCollector = (project, collector) => (params) => collector(project(params));
/** A collector that sees the account. @param {Function} collector @returns {WarningCollector} */
export const projectAccountWarningCollector = (collector) => projectWarningCollector(({ account }) => account, collector);
/** A collector that sees the configuration. @param {Function} collector @returns {WarningCollector} */
export const projectConfigWarningCollector = (collector) => projectWarningCollector(({ cfg }) => ({ cfg }), collector);
/** A collector that sees the configuration and the id of the account. @param {Function} collector @returns {WarningCollector} */
export const projectConfigAccountIdWarningCollector = (collector) => projectWarningCollector(({ cfg, accountId }) => ({ cfg, accountId }), collector);

/** The `security` adapter of a channel whose groups default to an allow list. @param {any} params @returns {{resolveDmPolicy: Function, collectWarnings: WarningCollector}} */
export function createRestrictSendersChannelSecurity(params) {
  const { channelKey, resolveDmPolicy, resolveDmAllowFrom, defaultDmPolicy, normalizeDmEntry } = params;
  return {
    resolveDmPolicy: createScopedDmSecurityResolver({
      channelKey,
      resolvePolicy: resolveDmPolicy,
      resolveAllowFrom: resolveDmAllowFrom,
      resolveFallbackAccountId: params.resolveFallbackAccountId,
      defaultPolicy: defaultDmPolicy,
      allowFromPathSuffix: params.allowFromPathSuffix,
      policyPathSuffix: params.policyPathSuffix,
      approveChannelId: params.approveChannelId,
      approveHint: params.approveHint,
      normalizeEntry: normalizeDmEntry,
      inheritSharedDefaultsFromDefaultAccount: params.inheritSharedDefaultsFromDefaultAccount,
    }),
    collectWarnings: createAllowlistProviderRestrictSendersWarningCollector({
      ...params,
      providerConfigPresent: params.providerConfigPresent ?? ((cfg) => cfg.channels?.[channelKey] !== undefined),
    }),
  };
}

/** The section of a channel and its accounts, each with whether it matches people by their names. */
function nameMatchingScopes(cfg, channel) {
  const section = cfg.channels?.[channel];
  if (!isRecord(section)) return [];
  const flag = (prefix) => `${prefix}.dangerouslyAllowNameMatching`;
  const root = `channels.${channel}`;
  const rootEnabled = isDangerousNameMatchingEnabled(section);
  const scopes = [{ prefix: root, account: section, dangerousNameMatchingEnabled: rootEnabled, dangerousFlagPath: flag(root) }];
  for (const [id, account] of Object.entries(isRecord(section.accounts) ? section.accounts : {})) {
    if (!isRecord(account)) continue;
    const prefix = `${root}.accounts.${id}`;
    const own = asBoolean(account.dangerouslyAllowNameMatching);
    scopes.push({ prefix, account, dangerousNameMatchingEnabled: own ?? rootEnabled, dangerousFlagPath: flag(own === undefined ? root : prefix) });
  }
  return scopes;
}

const printable = (text) => text.replace(/\p{Cc}+/gu, ' ').trim();
const SHOWN_ENTRIES = 8;

/**
 * Warns of allow-list entries that are changeable names while names are not matched.
 * @param {{channel: string, detector: (entry: string) => boolean, collectLists: (scope: any) => {pathLabel: string, list: any}[]}} params
 * @returns {WarningCollector}
 */
export function createDangerousNameMatchingMutableAllowlistWarningCollector({ channel, detector, collectLists }) {
  return ({ cfg }) => {
    const hits = nameMatchingScopes(cfg, channel)
      .filter((scope) => !scope.dangerousNameMatchingEnabled)
      .flatMap((scope) =>
        collectLists(scope).flatMap(({ pathLabel, list }) =>
          (Array.isArray(list) ? list : [])
            .map((entry) => String(entry).trim())
            .filter((entry) => entry && entry !== '*' && detector(entry))
            .map((entry) => ({ path: pathLabel, entry, flag: scope.dangerousFlagPath })),
        ),
      );
    return hits.length > 0 ? mutableEntryLines(hits, channel) : [];
  };
}

function mutableEntryLines(hits, channel) {
  const flags = uniqueStrings(hits.map((hit) => hit.flag)).map(printable);
  const others = flags.length > 1 ? ` (and ${flags.length - 1} more)` : '';
  return [
    `- ${channel}: ${hits.length} allowlist ${hits.length === 1 ? 'entry is a name' : 'entries are names'} that can change, and names are not matched.`,
    ...hits.slice(0, SHOWN_ENTRIES).map((hit) => `- ${printable(hit.path)}: ${printable(hit.entry)}`),
    ...(hits.length > SHOWN_ENTRIES ? [`- ${hits.length - SHOWN_ENTRIES} more of them.`] : []),
    '- Put the stable ids of these senders into the allowlist (recommended).',
    `- Or set ${flags[0]}=true${others} to match names, which anybody can take.`,
  ];
}
