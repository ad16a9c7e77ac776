// What message adapters declare, the proofs of it, and the states of messages on their way.
import { formatErrorMessage } from './error-text.js';

const DURABLE = ['text', 'media', 'poll', 'payload', 'silent', 'replyTo', 'thread', 'nativeQuote', 'messageSendingHooks', 'batch', 'reconcileUnknownSend', 'afterSendSuccess', 'afterCommit'];
const LIVE = ['draftPreview', 'previewFinalization', 'progressUpdates', 'nativeStreaming', 'quietFinalization'];
const FINALIZER = ['finalEdit', 'normalFallback', 'discardPending', 'previewReceipt', 'retainOnAmbiguousFailure'];
const ACK_POLICIES = ['after_receive_record', 'after_agent_dispatch', 'after_durable_send', 'manual'];

export { ACK_POLICIES as channelMessageReceiveAckPolicies, DURABLE as durableFinalDeliveryCapabilities, FINALIZER as livePreviewFinalizerCapabilities, LIVE as channelMessageLiveCapabilities };

const declared = (names) => (capabilities) => names.filter((name) => capabilities?.[name] === true);
/** @type {(capabilities?: any) => string[]} */
export const listDeclaredDurableFinalCapabilities = declared(DURABLE);
/** @type {(capabilities?: any) => string[]} */
export const listDeclaredChannelMessageLiveCapabilities = declared(LIVE);
/** @type {(capabilities?: any) => string[]} */
export const listDeclaredLivePreviewFinalizerCapabilities = declared(FINALIZER);
/** @param {any} [receive] @returns {string[]} */
export function listDeclaredReceiveAckPolicies(receive) {
  const own = receive?.supportedAckPolicies?.length ? receive.supportedAckPolicies : [receive?.defaultAckPolicy];
  return ACK_POLICIES.filter((policy) => own.includes(policy));
}

/** Runs the proof of each declared name; one without a proof is an error. */
async function verify({ names, has, member, what, adapterName, proofs }) {
  const results = [];
  for (const name of names) {
    if (!has(name)) {
      results.push({ [member]: name, status: 'not_declared' });
      continue;
    }
    if (!proofs[name]) throw new Error(`${adapterName} declares ${what} "${name}" without a contract proof`);
    await proofs[name]();
    results.push({ [member]: name, status: 'verified' });
  }
  return results;
}
const capabilityProofs = (names, what) => ({ adapterName, capabilities, proofs }) =>
  verify({ names, what, adapterName, proofs, member: 'capability', has: (name) => capabilities?.[name] === true });

/** @type {(params: any) => Promise<any[]>} */
export const verifyDurableFinalCapabilityProofs = capabilityProofs(DURABLE, 'durable final capability');
/** @type {(params: any) => Promise<any[]>} */
export const verifyChannelMessageLiveCapabilityProofs = capabilityProofs(LIVE, 'live capability');
/** @type {(params: any) => Promise<any[]>} */
export const verifyLivePreviewFinalizerCapabilityProofs = capabilityProofs(FINALIZER, 'live preview finalizer capability');
/** @param {any} params @returns {Promise<any[]>} */
export const verifyChannelMessageReceiveAckPolicyProofs = ({ adapterName, receive, proofs }) => {
  const own = listDeclaredReceiveAckPolicies(receive);
  return verify({ names: ACK_POLICIES, what: 'receive ack policy', adapterName, proofs, member: 'policy', has: (name) => own.includes(name) });
};
/** The same for the parts of a message adapter. @param {any} params @returns {Promise<any[]>} */
export const verifyChannelMessageAdapterCapabilityProofs = ({ adapter, ...params }) => verifyDurableFinalCapabilityProofs({ ...params, capabilities: adapter.durableFinal?.capabilities });
/** @param {any} params @returns {Promise<any[]>} */
export const verifyChannelMessageLiveCapabilityAdapterProofs = ({ adapter, ...params }) => verifyChannelMessageLiveCapabilityProofs({ ...params, capabilities: adapter.live?.capabilities });
/** @param {any} params @returns {Promise<any[]>} */
export const verifyChannelMessageLiveFinalizerProofs = ({ adapter, ...params }) => verifyLivePreviewFinalizerCapabilityProofs({ ...params, capabilities: adapter.live?.finalizer?.capabilities });
/** @param {any} params @returns {Promise<any[]>} */
export const verifyChannelMessageReceiveAckPolicyAdapterProofs = ({ adapter, ...params }) => verifyChannelMessageReceiveAckPolicyProofs({ ...params, receive: adapter.receive });

/** What a channel must be able to do to send a payload durably. @param {any} params @returns {Record<string, true>} */
export function deriveDurableFinalDeliveryRequirements(params) {
  const { payload, replyToId, threadId, extraCapabilities } = params;
  const media = [payload.mediaUrl, ...(Array.isArray(payload.mediaUrls) ? payload.mediaUrls : [])].some((url) => typeof url === 'string' && url.trim());
  const needed = {
    text: true,
    media,
    replyTo: replyToId != null || payload.replyToId != null,
    thread: threadId != null,
    silent: params.silent,
    messageSendingHooks: params.messageSendingHooks !== false,
    payload: params.payloadTransport,
    batch: params.batch,
    reconcileUnknownSend: params.reconcileUnknownSend,
    afterSendSuccess: params.afterSendSuccess,
    afterCommit: params.afterCommit,
  };
  return Object.fromEntries([...Object.entries(needed), ...Object.entries(extraCapabilities ?? {})].filter(([, value]) => value === true));
}

/** What became of a send, as far as is known. @param {any} params @returns {string} */
export function classifyDurableSendRecoveryState({ failed, suppressed, hasReceipt, hasIntent, platformSendMayHaveStarted }) {
  if (failed) return 'failed';
  if (suppressed) return 'suppressed';
  if (hasReceipt) return 'sent';
  return hasIntent && platformSendMayHaveStarted ? 'unknown_after_send' : 'pending';
}
/** The record of a send. @param {any} params @returns {any} */
export const createDurableMessageStateRecord = ({ intent, state, receipt, updatedAt, error }) => ({
  intent,
  state: state ?? (receipt ? 'sent' : 'pending'),
  ...(receipt ? { receipt } : {}),
  updatedAt: updatedAt ?? Date.now(),
  ...(error === undefined ? {} : { errorMessage: formatErrorMessage(error) }),
});

const STAGE_OF = { after_receive_record: 'receive_record', after_agent_dispatch: 'agent_dispatch', after_durable_send: 'durable_send' };
/** Whether a message is acknowledged after a stage. @param {string} policy @param {string} stage @returns {boolean} */
export const shouldAckMessageAfterStage = (policy, stage) => Object.hasOwn(STAGE_OF, policy) && STAGE_OF[policy] === stage;

/** An inbound message with its acknowledgement, which is sent once. @param {any} params @returns {any} */
export function createMessageReceiveContext({ id, channel, accountId, message, ackPolicy = 'after_receive_record', receivedAt, signal, onAck, onNack }) {
  const context = {
    id,
    channel,
    ...(accountId ? { accountId } : {}),
    message,
    ackPolicy,
    ackState: 'pending',
    receivedAt: receivedAt ?? Date.now(),
    signal: signal ?? new AbortController().signal,
    shouldAckAfter: (stage) => shouldAckMessageAfterStage(context.ackPolicy, stage),
    async ack() {
      if (context.ackState === 'acked') return;
      await onAck?.();
      Object.assign(context, { ackState: 'acked', ackedAt: Date.now() });
      delete context.nackErrorMessage;
    },
    async nack(error) {
      await onNack?.(error);
      Object.assign(context, { ackState: 'nacked', nackErrorMessage: formatErrorMessage(error) });
    },
  };
  return context;
}

/** How many parts of a reply were handed over. @param {any} [result] @returns {{tool: number, block: number, final: number}} */
export const resolveChannelTurnDispatchCounts = (result) => ({ tool: 0, block: 0, final: 0, ...result?.counts });
/** Whether the user got the end of a reply. @param {any} result @param {any} [signals] @returns {boolean} */
export const hasFinalChannelTurnDispatch = (result, signals = {}) =>
  signals.fallbackDelivered === true || signals.deliverySummaryDelivered === true || result?.queuedFinal === true || resolveChannelTurnDispatchCounts(result).final > 0;
/** Whether the user got anything. @param {any} result @param {any} [signals] @returns {boolean} */
export function hasVisibleChannelTurnDispatch(result, signals = {}) {
  const { tool, block } = resolveChannelTurnDispatchCounts(result);
  return signals.observedReplyDelivery === true || hasFinalChannelTurnDispatch(result, signals) || tool > 0 || block > 0;
}
export {
  hasFinalChannelTurnDispatch as hasFinalChannelMessageReplyDispatch, hasFinalChannelTurnDispatch as hasFinalInboundReplyDispatch,
  hasVisibleChannelTurnDispatch as hasVisibleChannelMessageReplyDispatch, hasVisibleChannelTurnDispatch as hasVisibleInboundReplyDispatch,
  resolveChannelTurnDispatchCounts as resolveChannelMessageReplyDispatchCounts, resolveChannelTurnDispatchCounts as resolveInboundReplyDispatchCounts,
};
