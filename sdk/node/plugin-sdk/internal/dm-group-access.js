// Decisions on who may speak: direct messages and groups, with the reasons that logs and tests know.
import { resolveCommandAuthorizedFromAuthorizers } from './commands.js';
import { readChannelAllowFromStore } from './host.js';
import { resolveOpenProviderRuntimeGroupPolicy } from './group-policy.js';
import { normalizeStringEntries } from './strings.js';

/** Reason codes of a decision. */
export const DM_GROUP_ACCESS_REASON = {
  GROUP_POLICY_ALLOWED: 'group_policy_allowed',
  GROUP_POLICY_DISABLED: 'group_policy_disabled',
  GROUP_POLICY_EMPTY_ALLOWLIST: 'group_policy_empty_allowlist',
  GROUP_POLICY_NOT_ALLOWLISTED: 'group_policy_not_allowlisted',
  DM_POLICY_OPEN: 'dm_policy_open',
  DM_POLICY_DISABLED: 'dm_policy_disabled',
  DM_POLICY_ALLOWLISTED: 'dm_policy_allowlisted',
  DM_POLICY_PAIRING_REQUIRED: 'dm_policy_pairing_required',
  DM_POLICY_NOT_ALLOWLISTED: 'dm_policy_not_allowlisted',
};

/** A configured list as trimmed texts; anything else is an empty list. @param {unknown} list @returns {string[]} */
export const normalizeAllowFromList = (list) => (Array.isArray(list) ? normalizeStringEntries(list) : []);

const storeCounts = (dmPolicy) => dmPolicy !== 'allowlist' && dmPolicy !== 'open';

/** Who may write directly: the configured list, and with a pairing policy the paired senders. @param {any} params @returns {string[]} */
export const mergeDmAllowFromSources = ({ allowFrom, storeAllowFrom, dmPolicy }) =>
  normalizeStringEntries([...(allowFrom ?? []), ...(storeCounts(dmPolicy) ? (storeAllowFrom ?? []) : [])]);

/** Who may speak in groups: their own list, else the one of direct messages. @param {any} params @returns {string[]} */
export function resolveGroupAllowFromSources({ allowFrom, groupAllowFrom, fallbackToAllowFrom }) {
  if (Array.isArray(groupAllowFrom) && groupAllowFrom.length > 0) return normalizeStringEntries(groupAllowFrom);
  return fallbackToAllowFrom === false ? [] : normalizeStringEntries(allowFrom);
}

/** Both lists in force. @param {any} params @returns {{effectiveAllowFrom: string[], effectiveGroupAllowFrom: string[]}} */
export function resolveEffectiveAllowFromLists({ allowFrom, groupAllowFrom, storeAllowFrom, dmPolicy, groupAllowFromFallbackToAllowFrom }) {
  const list = (value) => (Array.isArray(value) ? value : undefined);
  return {
    effectiveAllowFrom: mergeDmAllowFromSources({ allowFrom: list(allowFrom), storeAllowFrom: list(storeAllowFrom), dmPolicy }),
    effectiveGroupAllowFrom: resolveGroupAllowFromSources({
      allowFrom: list(allowFrom), groupAllowFrom: list(groupAllowFrom), fallbackToAllowFrom: groupAllowFromFallbackToAllowFrom ?? undefined,
    }),
  };
}

/** Paired senders, read only where the policy lets them in; a store that cannot be read is empty. @param {any} params @returns {Promise<string[]>} */
export async function readChannelIngressStoreAllowFromForDmPolicy({ provider, accountId, dmPolicy, shouldRead, readStore }) {
  if (shouldRead === false || !storeCounts(dmPolicy)) return [];
  const read = readStore ?? ((channel, account) => readChannelAllowFromStore(channel, process.env, account));
  return read(provider, accountId).catch(() => []);
}
/** The same under its older name. @param {any} params @returns {Promise<string[]>} */
export const readStoreAllowFromForDmPolicy = async (params) => readChannelIngressStoreAllowFromForDmPolicy(params);

/**
 * Who is let in directly, for audits: the configured list, how many that makes with the paired ones, and whether several people share the sessions.
 * @param {any} params
 * @returns {Promise<{configAllowFrom: string[], hasWildcard: boolean, allowCount: number, isMultiUserDm: boolean}>}
 */
export async function resolveDmAllowState({ allowFrom, normalizeEntry = (entry) => entry, ...params }) {
  const configAllowFrom = normalizeAllowFromList(allowFrom);
  const stored = await readChannelIngressStoreAllowFromForDmPolicy(params);
  const hasWildcard = configAllowFrom.includes('*');
  const allowCount = new Set([...configAllowFrom.filter((entry) => entry !== '*'), ...stored].map((entry) => normalizeEntry(entry).trim()).filter(Boolean)).size;
  return { configAllowFrom, hasWildcard, allowCount, isMultiUserDm: hasWildcard || allowCount > 1 };
}

const decide = (decision, reasonCode, reason) => ({ decision, reasonCode: DM_GROUP_ACCESS_REASON[reasonCode], reason });

/** A direct message under the policy `open`: `*` lets everybody in. @param {any} params @returns {{decision: string, reasonCode: string, reason: string}} */
export function resolveOpenDmAllowlistAccess({ effectiveAllowFrom, isSenderAllowed }) {
  const list = normalizeStringEntries(effectiveAllowFrom);
  if (list.includes('*')) return decide('allow', 'DM_POLICY_OPEN', 'dmPolicy=open');
  if (isSenderAllowed(list)) return decide('allow', 'DM_POLICY_ALLOWLISTED', 'dmPolicy=open (allowlisted)');
  return decide('block', 'DM_POLICY_NOT_ALLOWLISTED', 'dmPolicy=open (not allowlisted)');
}

const GROUP_REFUSALS = {
  disabled: ['GROUP_POLICY_DISABLED', 'groupPolicy=disabled'],
  empty_allowlist: ['GROUP_POLICY_EMPTY_ALLOWLIST', 'groupPolicy=allowlist (empty allowlist)'],
  not_allowlisted: ['GROUP_POLICY_NOT_ALLOWLISTED', 'groupPolicy=allowlist (not allowlisted)'],
};

function groupDecision(rawPolicy, list, isSenderAllowed) {
  const groupPolicy = rawPolicy === 'open' || rawPolicy === 'disabled' ? rawPolicy : 'allowlist';
  const { allowed, reason } = evaluateMatchedGroupAccessForPolicy({ groupPolicy, allowlistConfigured: list.length > 0, allowlistMatched: isSenderAllowed(list) });
  return allowed ? decide('allow', 'GROUP_POLICY_ALLOWED', `groupPolicy=${groupPolicy}`) : decide('block', ...GROUP_REFUSALS[reason]);
}

/** The decision on a message, with the lists it was made with. @param {any} params @returns {any} */
export function resolveDmGroupAccessWithLists(params) {
  const lists = resolveEffectiveAllowFromLists(params);
  const { isGroup, dmPolicy: policy, groupPolicy, isSenderAllowed } = params;
  return { ...(isGroup ? groupDecision(groupPolicy, lists.effectiveGroupAllowFrom, isSenderAllowed) : dmDecision(policy ?? 'pairing', lists.effectiveAllowFrom, isSenderAllowed)), ...lists };
}

function dmDecision(dmPolicy, list, isSenderAllowed) {
  if (dmPolicy === 'disabled') return decide('block', 'DM_POLICY_DISABLED', 'dmPolicy=disabled');
  if (dmPolicy === 'open') return resolveOpenDmAllowlistAccess({ effectiveAllowFrom: list, isSenderAllowed });
  if (isSenderAllowed(list)) return decide('allow', 'DM_POLICY_ALLOWLISTED', `dmPolicy=${dmPolicy} (allowlisted)`);
  if (dmPolicy === 'pairing') return decide('pairing', 'DM_POLICY_PAIRING_REQUIRED', 'dmPolicy=pairing (not allowlisted)');
  return decide('block', 'DM_POLICY_NOT_ALLOWLISTED', `dmPolicy=${dmPolicy} (not allowlisted)`);
}

/** The decision, and whether a command in the message may run. Paired senders command in direct messages only. @param {any} params @returns {any} */
export function resolveDmGroupAccessWithCommandGate(params) {
  const access = resolveDmGroupAccessWithLists(params);
  const { isGroup, command, isSenderAllowed } = params;
  if (!command) return { ...access, commandAuthorized: false, shouldBlockControlCommand: false };
  const configured = resolveEffectiveAllowFromLists({ ...params, storeAllowFrom: [] });
  const lists = isGroup ? [configured.effectiveAllowFrom, configured.effectiveGroupAllowFrom] : [access.effectiveAllowFrom, access.effectiveGroupAllowFrom];
  const gate = resolveControlCommandGate({
    ...command,
    modeWhenAccessGroupsOff: undefined,
    authorizers: lists.map((list) => ({ configured: list.length > 0, allowed: isSenderAllowed(list) })),
  });
  return { ...access, commandAuthorized: gate.commandAuthorized, shouldBlockControlCommand: isGroup && gate.shouldBlock };
}

/** Whether a command in text may run, and whether the message is to be dropped for it. @param {any} params @returns {{commandAuthorized: boolean, shouldBlock: boolean}} */
export function resolveControlCommandGate({ useAccessGroups, authorizers, modeWhenAccessGroupsOff, allowTextCommands, hasControlCommand }) {
  const commandAuthorized = resolveCommandAuthorizedFromAuthorizers({ useAccessGroups, authorizers, modeWhenAccessGroupsOff });
  return { commandAuthorized, shouldBlock: allowTextCommands && hasControlCommand && !commandAuthorized };
}

/** The same with exactly two authorizers. @param {any} params @returns {{commandAuthorized: boolean, shouldBlock: boolean}} */
export const resolveDualTextControlCommandGate = (params) =>
  resolveControlCommandGate({
    useAccessGroups: params.useAccessGroups,
    authorizers: [
      { configured: params.primaryConfigured, allowed: params.primaryAllowed },
      { configured: params.secondaryConfigured, allowed: params.secondaryAllowed },
    ],
    allowTextCommands: true,
    hasControlCommand: params.hasControlCommand,
    modeWhenAccessGroupsOff: params.modeWhenAccessGroupsOff,
  });

/** The policy for a sender: with a list it is an allow list. @param {any} params @returns {string} */
export const resolveSenderScopedGroupPolicy = ({ groupPolicy, groupAllowFrom }) =>
  groupPolicy === 'disabled' ? 'disabled' : groupAllowFrom.length > 0 ? 'allowlist' : 'open';

/** Access by whether something matched the list. @param {any} params @returns {{allowed: boolean, groupPolicy: string, reason: string}} */
export function evaluateMatchedGroupAccessForPolicy({ groupPolicy, allowlistConfigured, allowlistMatched, requireMatchInput, hasMatchInput }) {
  const answer = (reason) => ({ allowed: reason === 'allowed', groupPolicy, reason });
  if (groupPolicy === 'disabled') return answer('disabled');
  if (groupPolicy !== 'allowlist') return answer('allowed');
  if (requireMatchInput && !hasMatchInput) return answer('missing_match_input');
  if (!allowlistConfigured) return answer('empty_allowlist');
  return answer(allowlistMatched ? 'allowed' : 'not_allowlisted');
}

/** Access by sender. @param {any} params @returns {{allowed: boolean, groupPolicy: string, providerMissingFallbackApplied: boolean, reason: string}} */
export function evaluateSenderGroupAccessForPolicy({ groupPolicy, providerMissingFallbackApplied, groupAllowFrom, senderId, isSenderAllowed }) {
  const answer = (reason) => ({ allowed: reason === 'allowed', groupPolicy, providerMissingFallbackApplied: Boolean(providerMissingFallbackApplied), reason });
  if (groupPolicy === 'disabled') return answer('disabled');
  if (groupPolicy !== 'allowlist') return answer('allowed');
  if (groupAllowFrom.length === 0) return answer('empty_allowlist');
  return answer(isSenderAllowed(senderId, groupAllowFrom) ? 'allowed' : 'sender_not_allowlisted');
}

/** The same with the policy from the configuration of a channel that is open by default. @param {any} params @returns {any} */
export function evaluateSenderGroupAccess({ providerConfigPresent, configuredGroupPolicy, defaultGroupPolicy, ...rest }) {
  const policy = resolveOpenProviderRuntimeGroupPolicy({ providerConfigPresent, groupPolicy: configuredGroupPolicy, defaultGroupPolicy });
  return evaluateSenderGroupAccessForPolicy({ ...rest, ...policy });
}

/** Access by group. @param {any} params @returns {{allowed: boolean, groupPolicy: string, reason: string}} */
export function evaluateGroupRouteAccessForPolicy({ groupPolicy, routeAllowlistConfigured, routeMatched, routeEnabled }) {
  const answer = (reason) => ({ allowed: reason === 'allowed', groupPolicy, reason });
  if (groupPolicy === 'disabled') return answer('disabled');
  if (routeMatched && routeEnabled === false) return answer('route_disabled');
  if (groupPolicy !== 'allowlist') return answer('allowed');
  if (!routeAllowlistConfigured) return answer('empty_allowlist');
  return answer(routeMatched ? 'allowed' : 'route_not_allowlisted');
}

/** The decision on a message with lists that are merged already. @param {any} params @returns {any} */
export function resolveDmGroupAccessDecision({ isGroup, dmPolicy = 'pairing', groupPolicy, effectiveAllowFrom, effectiveGroupAllowFrom, isSenderAllowed }) {
  return isGroup ? groupDecision(groupPolicy, normalizeStringEntries(effectiveGroupAllowFrom), isSenderAllowed) : dmDecision(dmPolicy, normalizeStringEntries(effectiveAllowFrom), isSenderAllowed);
}
