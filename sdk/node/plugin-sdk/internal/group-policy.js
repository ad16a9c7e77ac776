// Who may speak in groups.
import { normalizeAccountId, resolveAccountEntry } from './accounts.js';
import { normalizeLowercaseStringOrEmpty, normalizeOptionalString } from './strings.js';

export const GROUP_POLICY_BLOCKED_LABEL = {
  group: 'group messages', guild: 'guild messages', room: 'room messages', channel: 'channel messages', space: 'space messages',
};
const warned = new Set();

export const resolveDefaultGroupPolicy = (cfg) => cfg.channels?.defaults?.groupPolicy;

/** The policy in force; without any configuration of the channel the missing-provider policy. */
export function resolveRuntimeGroupPolicy(params) {
  const { providerConfigPresent, groupPolicy, defaultGroupPolicy, configuredFallbackPolicy = 'open', missingProviderFallbackPolicy = 'allowlist' } = params;
  const fallback = providerConfigPresent ? (defaultGroupPolicy ?? configuredFallbackPolicy) : missingProviderFallbackPolicy;
  return { groupPolicy: groupPolicy ?? fallback, providerMissingFallbackApplied: !providerConfigPresent && groupPolicy === undefined };
}

const withFallback = (configuredFallbackPolicy) => ({ providerConfigPresent, groupPolicy, defaultGroupPolicy }) =>
  resolveRuntimeGroupPolicy({ providerConfigPresent, groupPolicy, defaultGroupPolicy, configuredFallbackPolicy });

export const resolveAllowlistProviderRuntimeGroupPolicy = withFallback('allowlist');
export const resolveOpenProviderRuntimeGroupPolicy = withFallback('open');

/** Warns once per account that groups are blocked because the channel is not configured. */
export function warnMissingProviderGroupPolicyFallbackOnce({ providerMissingFallbackApplied, providerKey, accountId, blockedLabel, log }) {
  const key = `${providerKey}:${accountId ?? '*'}`;
  if (!providerMissingFallbackApplied || warned.has(key)) return false;
  warned.add(key);
  const label = normalizeOptionalString(blockedLabel) ?? 'group messages';
  log(`${providerKey}: channels.${providerKey} is missing; defaulting groupPolicy to "allowlist" (${label} blocked until explicitly configured).`);
  return true;
}

/** Whether a group is allowed, and its settings. */
export function resolveChannelGroupPolicy({ cfg, channel, accountId, groupId, groupIdCaseInsensitive = false, hasGroupAllowFrom }) {
  const section = cfg.channels?.[channel];
  const account = resolveAccountEntry(section?.accounts, normalizeAccountId(accountId));
  const groups = account?.groups ?? section?.groups;
  const mode = account?.groupPolicy ?? section?.groupPolicy;
  const hasGroups = Boolean(groups && Object.keys(groups).length > 0);
  const allowlistEnabled = mode === 'allowlist' || hasGroups;
  const groupConfig = groupId?.trim() ? groupEntry(groups, groupId.trim(), groupIdCaseInsensitive) : undefined;
  const allowAll = allowlistEnabled && Boolean(groups && Object.hasOwn(groups, '*'));
  const bySender = mode === 'allowlist' && !hasGroups && Boolean(hasGroupAllowFrom);
  const allowed = mode !== 'disabled' && (!allowlistEnabled || allowAll || Boolean(groupConfig) || bySender);
  return { allowlistEnabled, allowed, groupConfig, defaultConfig: groups?.['*'] };
}

function groupEntry(groups, id, ignoreCase) {
  if (!groups || groups[id] || !ignoreCase) return groups?.[id];
  const wanted = normalizeLowercaseStringOrEmpty(id);
  const key = Object.keys(groups).find((candidate) => candidate !== '*' && normalizeLowercaseStringOrEmpty(candidate) === wanted);
  return key && groups[key];
}

/** Whether the bot answers in a group only when mentioned. */
export function resolveChannelGroupRequireMention(params) {
  const { requireMentionOverride: override, overrideOrder = 'after-config' } = params;
  const { groupConfig, defaultConfig } = resolveChannelGroupPolicy(params);
  const configured = [groupConfig?.requireMention, defaultConfig?.requireMention].find((value) => typeof value === 'boolean');
  const order = overrideOrder === 'before-config' ? [override, configured] : [configured, override];
  const decided = order.find((value) => typeof value === 'boolean');
  if (decided !== undefined) return decided;
  return !(params.configuredGroupDefaultsToNoMention && groupConfig);
}

/** A warning that anybody in a group may speak to the bot. */
export const buildOpenGroupPolicyWarning = ({ surface, openBehavior, remediation }) => `- ${surface}: groupPolicy="open" ${openBehavior}. ${remediation}.`;

/** Warns when the policy in force is `open`, for channels that default to an allow list. */
export function createAllowlistProviderOpenWarningCollector({ providerConfigPresent, resolveGroupPolicy, buildOpenWarning }) {
  return openWarnings(resolveAllowlistProviderRuntimeGroupPolicy, providerConfigPresent, resolveGroupPolicy, buildOpenWarning);
}

function openWarnings(resolvePolicy, providerConfigPresent, resolveGroupPolicy, warning) {
  return ({ account, cfg }) => {
    const { groupPolicy } = resolvePolicy({
      providerConfigPresent: providerConfigPresent(cfg),
      groupPolicy: resolveGroupPolicy(account) ?? undefined,
      defaultGroupPolicy: resolveDefaultGroupPolicy(cfg),
    });
    return groupPolicy === 'open' ? [buildOpenGroupPolicyWarning(warning)] : [];
  };
}

/** A collector that sees the configuration through a projection. */
export const projectAccountConfigWarningCollector = (projectCfg, collector) => ({ account, cfg }) => collector({ account, cfg: projectCfg(cfg) });
