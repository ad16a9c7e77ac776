// Senders of commands and of direct messages: who they are to the configuration, and what they may.
import { DEFAULT_ACCOUNT_ID } from './accounts.js';
import { expandAllowFromWithAccessGroups } from './allowlists.js';
import { DM_GROUP_ACCESS_REASON, readStoreAllowFromForDmPolicy, resolveDmGroupAccessWithLists } from './dm-group-access.js';

/** Puts a sender into a list when an access group of the list lets it in. */
const expander = ({ cfg, channel, accountId, senderId, isSenderAllowed, resolveAccessGroupMembership }) => (allowFrom) =>
  expandAllowFromWithAccessGroups({ cfg, allowFrom, channel, accountId, senderId, isSenderAllowed, resolveMembership: resolveAccessGroupMembership });

/** Whether a sender may give commands, with the lists in force. @param {any} params @returns {Promise<any>} */
export async function resolveSenderCommandAuthorization(params) {
  const { cfg, rawBody, isGroup, dmPolicy, senderId, isSenderAllowed, channel, readAllowFromStore } = params;
  const shouldComputeAuth = params.shouldComputeCommandAuthorized(rawBody, cfg);
  const stored = !isGroup && dmPolicy !== 'allowlist' && dmPolicy !== 'open' ? await readAllowFromStore().catch(() => []) : [];
  const expand = channel ? expander({ ...params, accountId: params.accountId ?? DEFAULT_ACCOUNT_ID }) : async (list) => list;
  const [allowFrom, groupAllowFrom, storeAllowFrom] = await Promise.all([params.configuredAllowFrom, params.configuredGroupAllowFrom ?? [], stored].map(expand));
  const inList = (list) => isSenderAllowed(senderId, list);
  const access = resolveDmGroupAccessWithLists({ isGroup, dmPolicy, groupPolicy: 'allowlist', allowFrom, groupAllowFrom, storeAllowFrom, isSenderAllowed: inList });
  const { effectiveAllowFrom, effectiveGroupAllowFrom } = access;
  const senderAllowedForCommands = inList(isGroup ? effectiveGroupAllowFrom : effectiveAllowFrom);
  const authorizers = [effectiveAllowFrom, effectiveGroupAllowFrom].map((list) => ({ configured: list.length > 0, allowed: inList(list) }));
  const useAccessGroups = cfg.commands?.useAccessGroups !== false;
  const commandAuthorized = shouldComputeAuth ? (params.resolveCommandAuthorizedFromAuthorizers?.({ useAccessGroups, authorizers }) ?? senderAllowedForCommands) : undefined;
  return { shouldComputeAuth, effectiveAllowFrom, effectiveGroupAllowFrom, senderAllowedForCommands, commandAuthorized };
}
/** The same with the functions of a channel runtime. @param {any} params @returns {Promise<any>} */
export const resolveSenderCommandAuthorizationWithRuntime = ({ runtime, ...params }) =>
  resolveSenderCommandAuthorization({
    ...params,
    shouldComputeCommandAuthorized: runtime.shouldComputeCommandAuthorized,
    resolveCommandAuthorizedFromAuthorizers: runtime.resolveCommandAuthorizedFromAuthorizers,
  });

/** What becomes of a direct message. @param {{isGroup: boolean, dmPolicy: string, senderAllowedForCommands: boolean}} params @returns {'allowed'|'disabled'|'unauthorized'} */
export function resolveDirectDmAuthorizationOutcome({ isGroup, dmPolicy, senderAllowedForCommands }) {
  if (isGroup) return 'allowed';
  if (dmPolicy === 'disabled') return 'disabled';
  return senderAllowedForCommands ? 'allowed' : 'unauthorized';
}

const DIRECT_REASONS = new Set(Object.values(DM_GROUP_ACCESS_REASON).filter((code) => code.startsWith('dm_')));

/** The decision on a direct message, and whether a command in it may run. @param {any} params @returns {Promise<any>} */
export async function resolveInboundDirectDmAccessWithRuntime(params) {
  const { cfg, channel, accountId, dmPolicy = 'pairing', senderId, rawBody, isSenderAllowed, runtime, readStoreAllowFrom, modeWhenAccessGroupsOff } = params;
  const policy = dmPolicy ?? 'pairing';
  const shouldComputeAuth = runtime.shouldComputeCommandAuthorized(rawBody, cfg);
  const stored = policy === 'pairing' ? await readStoreAllowFromForDmPolicy({ provider: channel, accountId, dmPolicy: policy, readStore: readStoreAllowFrom }) : [];
  const [allowFrom, storeAllowFrom] = await Promise.all([params.allowFrom, stored].map(expander(params)));
  const inList = (list) => isSenderAllowed(senderId, list);
  const access = resolveDmGroupAccessWithLists({ isGroup: false, dmPolicy: policy, allowFrom, storeAllowFrom, groupAllowFromFallbackToAllowFrom: false, isSenderAllowed: inList });
  const { decision, reason, effectiveAllowFrom } = access;
  const reasonCode = DIRECT_REASONS.has(access.reasonCode) ? access.reasonCode : DM_GROUP_ACCESS_REASON.DM_POLICY_NOT_ALLOWLISTED;
  const senderAllowedForCommands = inList(effectiveAllowFrom);
  const authorizers = [{ configured: effectiveAllowFrom.length > 0, allowed: senderAllowedForCommands }];
  const useAccessGroups = cfg.commands?.useAccessGroups !== false;
  const commandAuthorized = shouldComputeAuth
    ? (runtime.resolveCommandAuthorizedFromAuthorizers?.({ useAccessGroups, authorizers, modeWhenAccessGroupsOff }) ?? senderAllowedForCommands)
    : undefined;
  return { access: { decision, reasonCode, reason, effectiveAllowFrom }, shouldComputeAuth, senderAllowedForCommands, commandAuthorized };
}
