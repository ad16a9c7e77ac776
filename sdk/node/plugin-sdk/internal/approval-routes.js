// Whether approval requests are shown on a channel: by the settings of approvals, the request's origin, and configured targets.
import { normalizeAccountId, normalizeOptionalAccountId } from './accounts.js';
import { getExecApprovalReplyMetadata, matchesApprovalRequestFilters } from './approval-client.js';
import { notedSessionTarget, requestBelongsTo } from './approvals.js';
import { channelRouteTargetsMatchExact } from './session-keys.js';
import { normalizeLowercaseStringOrEmpty, normalizeOptionalString } from './strings.js';

/** `exec` for commands, `plugin` for what plugins ask. @param {any} request @param {string} [approvalKind] @returns {string} */
export const resolveApprovalKind = (request, approvalKind) => approvalKind ?? ('command' in request.request ? 'exec' : 'plugin');

/** Whether two targets of a channel are the same. @param {{channel: string, left: any, right: any}} params @returns {boolean} */
export function nativeApprovalTargetsMatch({ channel, left, right }) {
  const route = ({ to, accountId, threadId }) => ({ channel, to, accountId, threadId });
  return channelRouteTargetsMatchExact({ left: route(left), right: route(right) });
}

const toSession = (mode) => mode === 'session' || mode === 'both';
const toTargets = (mode) => mode === 'targets' || mode === 'both';

/** The checks that all kinds of routes share. `modeOf` reads the mode of an approval's settings. */
function routes({ channel, isTransportEnabled, modeOf, hasMatchingTarget, hasOriginOrSessionTarget }) {
  const active = (input) => {
    const config = isTransportEnabled(input) ? input.cfg.approvals?.[input.approvalKind === 'plugin' ? 'plugin' : 'exec'] : undefined;
    return config?.enabled ? { config, mode: modeOf(config) } : undefined;
  };
  const passes = (config, request) =>
    matchesApprovalRequestFilters({ request: request.request, agentFilter: config.agentFilter, sessionFilter: config.sessionFilter, fallbackAgentIdFromSessionKey: true });
  const potential = (input) => {
    const forwarding = active(input);
    if (!forwarding) return false;
    if (toSession(forwarding.mode)) return true;
    return !input.nativeSessionOnly && toTargets(forwarding.mode) && hasMatchingTarget({ cfg: input.cfg, config: forwarding.config, accountId: input.accountId });
  };
  const session = (input) => {
    const forwarding = active(input);
    if (!forwarding || !toSession(forwarding.mode) || !passes(forwarding.config, input.request)) return false;
    if (!requestBelongsTo(input.request.request, channel, input.accountId)) return false;
    return hasOriginOrSessionTarget({ cfg: input.cfg, accountId: input.accountId, request: input.request });
  };
  const explicit = (input) => {
    const forwarding = active(input);
    if (!forwarding || !toTargets(forwarding.mode) || !passes(forwarding.config, input.request)) return false;
    return hasMatchingTarget({ cfg: input.cfg, config: forwarding.config, accountId: input.accountId, target: input.target });
  };
  return {
    potential,
    any: (input) => potential({ ...input, approvalKind: 'exec' }) || potential({ ...input, approvalKind: 'plugin' }),
    session,
    explicit,
    handles: (input) => session({ ...input, approvalKind: resolveApprovalKind(input.request, input.approvalKind) }),
  };
}

/** The checks of a channel that knows itself which targets match. @param {any} params @returns {any} */
export function createChannelApprovalForwardingEvaluator(params) {
  const gates = routes({ ...params, modeOf: ({ mode }) => mode ?? 'session' });
  return {
    canAnyPotentiallyRoute: gates.any,
    isExplicitTargetEligible: gates.explicit,
    isPotentialRoute: gates.potential,
    isSessionEligible: gates.session,
    shouldHandleRequest: gates.handles,
  };
}

/** The checks of a channel with accounts and configured targets. @param {any} params @returns {any} */
export function createNativeApprovalChannelRouteGates(params) {
  const { channel, defaultForwardingMode, isTransportEnabled, listAccountIds, resolveDefaultAccountId, normalizeForwardTarget, resolveTurnSourceTarget } = params;
  const targetsMatch = params.targetsMatch ?? ((left, right) => nativeApprovalTargetsMatch({ channel, left, right }));
  /** A target without an account belongs to the default one, or to the only one that is on. */
  const sameAccount = ({ cfg, targetAccountId, accountId: rawId }) => {
    const [target, own] = [targetAccountId, rawId].map(normalizeOptionalString);
    if (!own) return true;
    const accountId = normalizeAccountId(own);
    if (target) return normalizeAccountId(target) === accountId;
    if (accountId === normalizeAccountId(resolveDefaultAccountId(cfg))) return true;
    const enabled = listAccountIds(cfg).filter((id) => isTransportEnabled({ cfg, accountId: id }));
    return enabled.length === 1 && normalizeAccountId(enabled[0]) === accountId;
  };
  const hasMatchingTarget = ({ cfg, config, accountId, target }) => {
    const wanted = target ? normalizeForwardTarget(target) : null;
    return (config.targets ?? []).map((entry) => normalizeForwardTarget(entry)).some((entry) =>
      entry && sameAccount({ cfg, targetAccountId: entry.accountId, accountId }) && (!wanted || targetsMatch(entry, wanted)));
  };
  const hasOriginOrSessionTarget = ({ cfg, accountId, request }) => {
    if (resolveTurnSourceTarget(request)) return true;
    const noted = notedSessionTarget(request.request);
    return normalizeLowercaseStringOrEmpty(noted?.channel) === channel && sameAccount({ cfg, targetAccountId: noted.accountId, accountId });
  };
  const gates = routes({ channel, isTransportEnabled, modeOf: ({ mode }) => mode ?? defaultForwardingMode, hasMatchingTarget, hasOriginOrSessionTarget });
  return {
    canApprovalPotentiallyRouteToChannel: gates.potential,
    canAnyApprovalPotentiallyRouteToChannel: gates.any,
    isNativeApprovalHandlerConfigured: (input) => gates.any({ ...input, nativeSessionOnly: true }),
    isSessionApprovalEligible: gates.session,
    isExplicitTargetEligible: gates.explicit,
    shouldHandleApprovalRequest: gates.handles,
  };
}

/** Whether a request that is forwarded to a target would be shown there natively as well. @param {any} params @returns {(input: any) => boolean} */
export function createNativeApprovalForwardingFallbackSuppressor(params) {
  const targetsMatch = params.targetsMatch ?? ((left, right) => nativeApprovalTargetsMatch({ channel: params.channel, left, right }));
  return ({ cfg, target, request, approvalKind: given }) => {
    const forwardingTarget = params.normalizeForwardTarget(target);
    if (!forwardingTarget) return false;
    const accountIds = [params.resolveAccountId?.({ forwardingTarget, target, request }), forwardingTarget.accountId, request.request.turnSourceAccountId];
    const accountId = accountIds.map((id) => normalizeOptionalAccountId(id)).find(Boolean);
    const approvalKind = params.resolveApprovalKind?.({ approvalKind: given, request }) ?? resolveApprovalKind(request, given);
    const scope = { cfg, accountId, approvalKind, request };
    const eligible = target.source === 'target' ? (params.isExplicitTargetEligible?.({ ...scope, target }) ?? false) : params.isSessionRouteEligible(scope);
    if (!eligible) return false;
    const shown = params.resolveForwardingTargetForMatch?.({ forwardingTarget, accountId, target, approvalKind, request }) ?? forwardingTarget;
    const origin = params.resolveOriginTarget(scope);
    if (origin && targetsMatch(shown, origin)) return true;
    return params.resolveApproverDmTargets(scope).some((approver) => targetsMatch(shown, approver));
  };
}

/** Whether the prompt of a command's approval is left out of the chat because it is shown natively. @param {any} params @returns {boolean} */
export function shouldSuppressLocalNativeExecApprovalPrompt(params) {
  const { cfg, accountId, hint, payload, resolveApprovalConfig } = params;
  if (hint?.kind !== 'approval-pending' || hint.approvalKind !== 'exec' || hint.nativeRouteActive !== true) return false;
  const metadata = getExecApprovalReplyMetadata(payload);
  if (metadata?.approvalKind !== 'exec') return false;
  if (!(params.isNativeDeliveryEnabled ?? params.isTransportEnabled)?.({ cfg, accountId })) return false;
  const config = resolveApprovalConfig?.({ cfg, accountId, metadata }) ?? cfg.approvals?.exec;
  const general = resolveApprovalConfig === undefined;
  if ((params.requireApprovalConfigEnabled ?? general) && !config?.enabled) return false;
  if ((params.enforceForwardingMode ?? general) && !toSession(config?.mode ?? 'session') && !params.hasExactTargetProof) return false;
  if (params.isSessionRouteEligible && !params.isSessionRouteEligible({ cfg, accountId, metadata })) return false;
  return matchesApprovalRequestFilters({
    request: { agentId: metadata.agentId, sessionKey: metadata.sessionKey },
    agentFilter: config?.agentFilter,
    sessionFilter: config?.sessionFilter,
    fallbackAgentIdFromSessionKey: params.fallbackAgentIdFromSessionKey ?? true,
  });
}
