// Approvals on channels: who may approve, and where requests are shown.
import { createLazyRuntimeModule } from './lazy.js';
import { channelRouteDedupeKey, channelRouteTargetsMatchExact } from './session-keys.js';
import { normalizeLowercaseStringOrEmpty, normalizeOptionalString } from './strings.js';
import { normalizeOptionalAccountId } from './accounts.js';

export const CHANNEL_APPROVAL_NATIVE_RUNTIME_CONTEXT_CAPABILITY = 'approval.native';
const IMPLICIT = Symbol('implicitSameChatApprovalAuthorization');

/** Marks an answer as given only because nobody is named and the chat is the same. @template {object} T @param {T} result @returns {T} */
export const markImplicitSameChatApprovalAuthorization = (result) => Object.defineProperty(result, IMPLICIT, { value: true, enumerable: false });
/** Whether an answer is such a one. @param {object | null | undefined} result @returns {boolean} */
export const isImplicitSameChatApprovalAuthorization = (result) => Boolean(result?.[IMPLICIT]);

/** The approvers of an account: the explicit ones, else those whom its allow lists name. */
export function resolveApprovalApprovers(params) {
  const { normalizeApprover, normalizeDefaultTo = normalizeApprover } = params;
  const distinct = (list) => [...new Set(list.filter(Boolean))];
  const map = (list) => (list ?? []).map((entry) => normalizeApprover(entry));
  const explicit = distinct(map(params.explicit));
  if (explicit.length > 0) return explicit;
  const defaultTo = params.defaultTo?.trim();
  return distinct([...map(params.allowFrom), ...map(params.extraAllowFrom), defaultTo ? normalizeDefaultTo(defaultTo) : undefined]);
}

const refusal = (kind, channelLabel) => ({ authorized: false, reason: `❌ You are not authorized to approve ${kind} requests on ${channelLabel}.` });

/** Authorises approvers by their sender id; without approvers everybody in the same chat may. */
export function createResolvedApproverActionAuthAdapter({ channelLabel, resolveApprovers, normalizeSenderId = normalizeOptionalString }) {
  return {
    authorizeActorAction({ cfg, accountId, senderId, approvalKind }) {
      const approvers = resolveApprovers({ cfg, accountId });
      if (approvers.length === 0) return markImplicitSameChatApprovalAuthorization({ authorized: true });
      const sender = senderId ? normalizeSenderId(senderId) : undefined;
      return sender && approvers.includes(sender) ? { authorized: true } : refusal(approvalKind, channelLabel);
    },
  };
}

/** A capability in the shape that the host reads. */
export function createChannelApprovalCapability(params) {
  const part = (name) => params[name] ?? params.approvals?.[name];
  return {
    authorizeActorAction: params.authorizeActorAction,
    getActionAvailabilityState: params.getActionAvailabilityState,
    getExecInitiatingSurfaceState: params.getExecInitiatingSurfaceState,
    resolveApproveCommandBehavior: params.resolveApproveCommandBehavior,
    describeExecApprovalSetup: params.describeExecApprovalSetup,
    delivery: part('delivery'),
    nativeRuntime: part('nativeRuntime'),
    render: part('render'),
    native: part('native'),
  };
}

/** Approvals that are shown natively to named approvers only. */
export function createApproverRestrictedNativeApprovalCapability(params) {
  const { channel, channelLabel, isExecAuthorizedSender, isPluginAuthorizedSender = isExecAuthorizedSender } = params;
  const enabled = (value) => ({ kind: value ? 'enabled' : 'disabled' });
  const ready = (scope) => params.hasApprovers(scope) && params.isNativeDeliveryEnabled(scope);
  const surfaces = { channel: 'origin', dm: 'approver-dm' };
  const delivery = {
    hasConfiguredDmRoute: ({ cfg }) =>
      params.listAccountIds(cfg).some((accountId) => ready({ cfg, accountId }) && ['dm', 'both'].includes(params.resolveNativeDeliveryMode({ cfg, accountId }))),
    shouldSuppressForwardingFallback(input) {
      if (normalizeLowercaseStringOrEmpty(input.target.channel) !== channel) return false;
      if (params.requireMatchingTurnSourceChannel && normalizeLowercaseStringOrEmpty(input.request.request.turnSourceChannel) !== channel) return false;
      const resolved = params.resolveSuppressionAccountId?.(input);
      const accountId = (resolved === undefined ? input.target.accountId : resolved)?.trim() || undefined;
      return params.isNativeDeliveryEnabled({ cfg: input.cfg, accountId });
    },
  };
  const describeDeliveryCapabilities = ({ cfg, accountId }) => ({
    enabled: ready({ cfg, accountId }),
    preferredSurface: surfaces[params.resolveNativeDeliveryMode({ cfg, accountId })] ?? 'both',
    supportsOriginSurface: Boolean(params.resolveOriginTarget),
    supportsApproverDmSurface: Boolean(params.resolveApproverDmTargets),
    notifyOriginWhenDmOnly: params.notifyOriginWhenDmOnly ?? false,
  });
  const { resolveOriginTarget, resolveApproverDmTargets } = params;
  return createChannelApprovalCapability({
    authorizeActorAction: ({ cfg, accountId, senderId, approvalKind }) =>
      (approvalKind === 'plugin' ? isPluginAuthorizedSender : isExecAuthorizedSender)({ cfg, accountId, senderId }) ? { authorized: true } : refusal(approvalKind, channelLabel),
    getActionAvailabilityState: ({ cfg, accountId }) => enabled(params.hasApprovers({ cfg, accountId })),
    getExecInitiatingSurfaceState: ({ cfg, accountId }) => enabled(ready({ cfg, accountId })),
    describeExecApprovalSetup: params.describeExecApprovalSetup,
    delivery,
    native: resolveOriginTarget || resolveApproverDmTargets ? { describeDeliveryCapabilities, resolveOriginTarget, resolveApproverDmTargets } : undefined,
    nativeRuntime: params.nativeRuntime,
  });
}

/** The native runtime of a channel's approvals, from its parts. */
export function createChannelApprovalNativeRuntimeAdapter(spec) {
  const wrap = (group, names) => Object.fromEntries(names.filter((name) => group?.[name]).map((name) => [name, async (params) => group[name](params)]));
  const adapter = {
    ...kinds(spec),
    availability: { isConfigured: spec.availability.isConfigured, shouldHandle: spec.availability.shouldHandle },
    presentation: wrap(spec.presentation, ['buildPendingPayload', 'buildResolvedResult', 'buildExpiredResult']),
    transport: wrap(spec.transport, ['prepareTarget', 'deliverPending', 'updateEntry', 'deleteEntry']),
  };
  if (spec.interactions) {
    adapter.interactions = wrap(spec.interactions, ['unbindPending', 'clearPendingActions']);
    if (spec.interactions.bindPending) adapter.interactions.bindPending = async (params) => (await spec.interactions.bindPending(params)) ?? null;
  }
  if (spec.observe) {
    const names = ['onDeliveryError', 'onDuplicateSkipped', 'onDelivered'].filter((name) => spec.observe[name]);
    adapter.observe = Object.fromEntries(names.map((name) => [name, (params) => spec.observe[name](params)]));
  }
  return adapter;
}

const kinds = ({ eventKinds, resolveApprovalKind }) => ({ ...(eventKinds ? { eventKinds } : {}), ...(resolveApprovalKind ? { resolveApprovalKind } : {}) });

/** The same, with the parts in a module that is loaded when first needed. */
export function createLazyChannelApprovalNativeRuntimeAdapter(params) {
  const load = createLazyRuntimeModule(params.load);
  let loaded = null;
  const get = async () => (loaded = await load());
  const forward = (group, name) => async (input) => (await get())[group]?.[name]?.(input);
  const needed = (group, name) => async (input) => (await get())[group][name](input);
  const seen = (name) => (input) => loaded?.observe?.[name]?.(input);
  return {
    ...kinds(params),
    availability: { isConfigured: params.isConfigured, shouldHandle: params.shouldHandle },
    presentation: {
      buildPendingPayload: needed('presentation', 'buildPendingPayload'),
      buildResolvedResult: needed('presentation', 'buildResolvedResult'),
      buildExpiredResult: needed('presentation', 'buildExpiredResult'),
    },
    transport: {
      prepareTarget: needed('transport', 'prepareTarget'),
      deliverPending: needed('transport', 'deliverPending'),
      updateEntry: forward('transport', 'updateEntry'),
      deleteEntry: forward('transport', 'deleteEntry'),
    },
    interactions: {
      bindPending: async (input) => (await forward('interactions', 'bindPending')(input)) ?? null,
      unbindPending: forward('interactions', 'unbindPending'),
      clearPendingActions: forward('interactions', 'clearPendingActions'),
    },
    observe: { onDeliveryError: seen('onDeliveryError'), onDuplicateSkipped: seen('onDuplicateSkipped'), onDelivered: seen('onDelivered') },
  };
}

/** A key that is equal for equal native targets. */
export const buildChannelApprovalNativeTargetKey = ({ to, threadId }) => channelRouteDedupeKey({ to, threadId });

/** Finds where an approval request came from, in the terms of one channel. */
export function createChannelNativeOriginTargetResolver(params) {
  const { channel } = params;
  const asRoute = ({ to, accountId, threadId }) => ({ channel, to, accountId, threadId });
  const matches = params.targetsMatch ?? ((left, right) => typeof left?.to === 'string' && typeof right?.to === 'string' && channelRouteTargetsMatchExact({ left: asRoute(left), right: asRoute(right) }));
  return (input) => {
    const { request } = input;
    if (params.shouldHandleRequest && !params.shouldHandleRequest(input)) return null;
    if (!requestBelongsTo(request.request, channel, input.accountId)) return null;
    const normal = (target) => (target && params.normalizeTarget ? (params.normalizeTarget(target, request) ?? null) : (target ?? null));
    const turn = normal(params.resolveTurnSourceTarget(request));
    const stored = notedSessionTarget(request.request);
    const session = stored && normalizeLowercaseStringOrEmpty(stored.channel) === normalizeLowercaseStringOrEmpty(channel) ? normal(params.resolveSessionTarget(stored, request)) : null;
    if (turn && session) {
      const [left, right] = [turn, session].map((target) => params.normalizeTargetForMatch?.(target, request) ?? target);
      if (!matches(left, right)) return null;
    }
    return turn ?? session ?? normal(params.resolveFallbackTarget?.(request)) ?? null;
  };
}

/** Whether a request may come from a channel's account. @param {any} request @param {string} channel @param {string|null} [accountId] @returns {boolean} */
export function requestBelongsTo(request, channel, accountId) {
  const turnChannel = normalizeLowercaseStringOrEmpty(request?.turnSourceChannel);
  if (turnChannel && turnChannel !== normalizeLowercaseStringOrEmpty(channel)) return false;
  const [wanted, own] = [normalizeOptionalAccountId(accountId), normalizeOptionalAccountId(request?.turnSourceAccountId)];
  return !wanted || !own || wanted === own;
}

/** The target that the host noted for the request's session, when it sends one along. */
export function notedSessionTarget(request) {
  return request?.sessionTarget ?? null;
}

/** Direct-message targets of all approvers. */
export function createChannelApproverDmTargetResolver({ shouldHandleRequest, resolveApprovers, mapApprover }) {
  return (input) => {
    if (shouldHandleRequest && !shouldHandleRequest(input)) return [];
    return resolveApprovers({ cfg: input.cfg, accountId: input.accountId }).map((approver) => mapApprover(approver, input)).filter(Boolean);
  };
}

/** A capability in the parts that older callers expect. */
export function splitChannelApprovalCapability(capability) {
  const { authorizeActorAction, getActionAvailabilityState, getExecInitiatingSurfaceState, resolveApproveCommandBehavior } = capability;
  const { delivery, nativeRuntime, render, native, describeExecApprovalSetup } = capability;
  const auth = { authorizeActorAction, getActionAvailabilityState, getExecInitiatingSurfaceState, resolveApproveCommandBehavior };
  return { auth, delivery, nativeRuntime, render, native, describeExecApprovalSetup };
}

/**
 * The capability of `createApproverRestrictedNativeApprovalCapability` in those parts.
 * @param {object} params
 * @returns {object}
 */
export const createApproverRestrictedNativeApprovalAdapter = (params) => splitChannelApprovalCapability(createApproverRestrictedNativeApprovalCapability(params));
