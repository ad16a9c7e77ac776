// The turn of an inbound message: it is taken in, judged, recorded, and answered with the functions that the runtime gives.
import { resolveInboundRouteEnvelopeBuilderWithRuntime } from './envelope.js';
import { clearHistoryEntriesIfEnabled } from './history.js';
import { recordChannelBotPairLoopAndCheckSuppression, recordDroppedChannelInboundHistory } from './inbound-facts.js';
import { normalizeOutboundReplyPayload } from './reply-send.js';
import { createChannelReplyPipeline } from './typing.js';
import { isRecord } from './strings.js';

const MESSAGE = { kind: 'message', canStartAgentTurn: true };
const ADMISSIONS = ['dispatch', 'observeOnly', 'handled', 'drop'];
const isAdmission = (value) => isRecord(value) && ADMISSIONS.includes(value.kind);

/** Tells the log of the turn about one stage. */
const teller = ({ log, channel, accountId, messageId }, more) => (stage, event, details) => log?.({ channel, accountId, stage, event, ...(messageId === undefined ? {} : { messageId }), ...more, ...details });
const sessionOf = ({ ctxPayload, routeSessionKey }) => ctxPayload.SessionKey ?? routeSessionKey;

function clearHistory({ isGroup, historyKey, historyMap, limit } = {}) {
  if (isGroup && historyKey && historyMap && limit !== undefined) clearHistoryEntriesIfEnabled({ historyMap, historyKey, limit });
}

async function record(params, tell) {
  const { record: options = {} } = params;
  tell('record', 'start');
  try {
    await params.recordInboundSession({
      storePath: params.storePath, sessionKey: sessionOf(params), ctx: params.ctxPayload,
      groupResolution: options.groupResolution, createIfMissing: options.createIfMissing, updateLastRoute: options.updateLastRoute,
      onRecordError: options.onRecordError ?? (() => {}), trackSessionMetaTask: options.trackSessionMetaTask,
    });
    tell('record', 'done');
    await params.afterRecord?.();
  } catch (error) {
    tell('record', 'error', { error });
    // What failed first is what the caller hears of.
    await Promise.resolve(error).then(params.onPreDispatchFailure).catch(() => {});
    throw error;
  }
}

async function runTurn(params, dispatch) {
  const admission = params.admission ?? { kind: 'dispatch' };
  const { ctxPayload, routeSessionKey } = params;
  if (params.botLoopProtection && recordChannelBotPairLoopAndCheckSuppression(params.botLoopProtection).suppressed) {
    const dropped = { kind: 'drop', reason: 'bot-loop-protection' };
    teller(params, { sessionKey: sessionOf(params), admission: dropped.kind })('authorize', 'drop', { reason: dropped.reason });
    clearHistory(params.history);
    return { admission: dropped, dispatched: false, ctxPayload, routeSessionKey };
  }
  const tell = teller(params, { sessionKey: sessionOf(params), admission: admission.kind });
  await record(params, tell);
  tell('dispatch', 'start');
  let dispatchResult;
  try {
    dispatchResult = await dispatch(admission);
  } catch (error) {
    tell('dispatch', 'error', { error });
    throw error;
  }
  tell('dispatch', 'done');
  clearHistory(params.history);
  return { admission, dispatched: true, ctxPayload, routeSessionKey, dispatchResult };
}

const nothingSent = () => ({ queuedFinal: false, counts: { tool: 0, block: 0, final: 0 } });
/** A turn whose dispatch the channel brings; one that only observes is not dispatched. @param {any} params @returns {Promise<any>} */
export const runPreparedInboundReply = (params) =>
  runTurn(params, ({ kind }) => (kind === 'observeOnly' ? (params.observeOnlyDispatchResult ?? nothingSent()) : params.runDispatch()));

/** Marks that a reply went out before something failed. */
function sentBefore(error) {
  const mark = { sentBeforeError: true, visibleReplySent: true };
  return isRecord(error) && Object.isExtensible(error) ? Object.assign(error, mark) : Object.assign(new Error('the reply was sent, and what follows it failed', { cause: error }), mark);
}
/** The plugin's own delivery; there is no durable one here. */
const deliverer = ({ preparePayload, deliver, onDelivered }) => async (given, info) => {
  const payload = preparePayload ? await preparePayload(given, info) : given;
  const result = await deliver(payload, info);
  try {
    await onDelivered?.(payload, info, result);
  } catch (error) {
    throw result?.visibleReplySent === false ? error : sentBefore(error);
  }
  return result;
};
function pipelineOf({ cfg, agentId, channel, accountId, replyPipeline, dispatcherOptions, replyOptions }) {
  if (!replyPipeline) return { dispatcherOptions, replyOptions };
  const { onModelSelected, ...pipeline } = createChannelReplyPipeline({ cfg, agentId, channel, accountId, ...replyPipeline });
  return { dispatcherOptions: { ...pipeline, ...dispatcherOptions }, replyOptions: { onModelSelected, ...replyOptions } };
}
/** A turn that is dispatched with the runtime's function and delivered by the channel. @param {any} params @returns {Promise<any>} */
export const dispatchChannelInboundReply = (params) =>
  runTurn(params, () => {
    const { dispatcherOptions, replyOptions } = pipelineOf(params);
    const { ctxPayload: ctx, cfg, delivery, toolsAllow, replyResolver } = params;
    const options = { ...dispatcherOptions, deliver: deliverer(delivery), onError: delivery.onError };
    return params.dispatchReplyWithBufferedBlockDispatcher({ ctx, cfg, dispatcherOptions: options, toolsAllow, replyOptions, replyResolver });
  });

/** Runs one event of a channel through its adapter. @param {any} params @returns {Promise<any>} */
export async function runChannelInboundEvent(params) {
  const { adapter, raw, log } = params;
  teller(params)('ingest', 'start');
  const input = await adapter.ingest(raw);
  if (!input) {
    const admission = { kind: 'drop', reason: 'ingest-null' };
    teller(params)('ingest', 'drop', { admission: admission.kind, reason: admission.reason });
    return { admission, dispatched: false };
  }
  const messageId = input.id;
  const tell = teller({ ...params, messageId });
  const stop = (stage, admission) => {
    tell(stage, admission.kind === 'handled' ? 'handled' : 'drop', { admission: admission.kind, reason: admission.reason });
    return { admission, dispatched: false };
  };
  tell('ingest', 'done');
  const eventClass = (await adapter.classify?.(input)) ?? MESSAGE;
  if (!eventClass.canStartAgentTurn) return stop('classify', { kind: 'handled', reason: `event:${eventClass.kind}` });
  const judged = (await adapter.preflight?.(input, eventClass)) ?? {};
  const preflight = isAdmission(judged) ? { admission: judged } : judged;
  if (['handled', 'drop'].includes(preflight.admission?.kind)) {
    await recordDroppedChannelInboundHistory({ input, preflight, admission: preflight.admission });
    return stop('preflight', preflight.admission);
  }

  const turn = await adapter.resolveTurn(input, eventClass, preflight);
  const { ctxPayload, routeSessionKey } = turn;
  const admission = turn.admission ?? preflight.admission ?? { kind: 'dispatch' };
  const told = teller({ ...params, accountId: turn.accountId ?? params.accountId, messageId }, { sessionKey: routeSessionKey });
  told('assemble', 'done', { admission: turn.admission?.kind ?? 'dispatch' });
  const silent = admission.kind === 'observeOnly' ? { delivery: { deliver: async () => ({ visibleReplySent: false }) } } : {};
  const whole = { ...turn, ...silent, admission, log, messageId };
  let result;
  try {
    result = await ('runDispatch' in turn ? runPreparedInboundReply(whole) : dispatchChannelInboundReply(whole));
    if (result.dispatched) result = { ...result, admission };
  } catch (error) {
    await Promise.resolve({ admission, dispatched: false, ctxPayload, routeSessionKey }).then((failed) => adapter.onFinalize?.(failed)).catch(() => {});
    told('finalize', 'done', { admission: admission.kind });
    throw error;
  }
  try {
    await adapter.onFinalize?.(result);
  } catch (error) {
    told('finalize', 'error', { admission: admission.kind, error });
    throw error;
  }
  told('finalize', 'done', { admission: admission.kind });
  return result;
}

/** Records a message and answers it, with payloads of any shape. @param {any} params @returns {Promise<void>} */
export async function recordChannelMessageReplyDispatch({ deliver, durable: _durable, onDispatchError, onRecordError, ...params }) {
  const preparePayload = (payload) => (isRecord(payload) ? normalizeOutboundReplyPayload(payload) : {});
  await dispatchChannelInboundReply({ ...params, delivery: { preparePayload, deliver: (payload) => deliver(payload), onError: onDispatchError }, replyPipeline: {}, record: { onRecordError } });
}
/** What the runtime and the route give to a turn. @param {any} params @returns {any} */
export const buildInboundReplyDispatchBase = ({ cfg, channel, accountId, route, storePath, ctxPayload, core }) => ({
  cfg, channel, accountId, agentId: route.agentId, routeSessionKey: route.sessionKey, storePath, ctxPayload,
  recordInboundSession: core.channel.session.recordInboundSession,
  dispatchReplyWithBufferedBlockDispatcher: core.channel.reply.dispatchReplyWithBufferedBlockDispatcher,
});
/** The same two at once. @param {any} params @returns {Promise<void>} */
export const dispatchChannelMessageReplyWithBase = ({ deliver, durable, onRecordError, onDispatchError, replyOptions, ...params }) =>
  recordChannelMessageReplyDispatch({ ...buildInboundReplyDispatchBase(params), deliver, durable, onRecordError, onDispatchError, replyOptions });

/** Runs an event that the channel has read already. @param {any} params @returns {Promise<any>} */
export const runResolvedChannelTurn = ({ channel, accountId, raw, log, input, resolveTurn }) =>
  runChannelInboundEvent({ channel, accountId, raw, log, adapter: { ingest: (given) => (typeof input === 'function' ? input(given) : input), resolveTurn } });

export const runInboundReplyTurn = runChannelInboundEvent;
export const runPreparedInboundReplyTurn = runPreparedInboundReply;
export const recordInboundSessionAndDispatchReply = recordChannelMessageReplyDispatch;
export const buildChannelMessageReplyDispatchBase = buildInboundReplyDispatchBase;
export const dispatchInboundReplyWithBase = dispatchChannelMessageReplyWithBase;

/** Answers a direct message. @param {any} params @returns {Promise<{route: any, storePath: string, ctxPayload: any}>} */
export async function dispatchInboundDirectDmWithRuntime(params) {
  const { cfg, channel, runtime, rawBody, senderAddress, recipientAddress, conversationLabel, messageId, timestamp } = params;
  const { session, reply } = runtime.channel;
  const { route, buildEnvelope } = resolveInboundRouteEnvelopeBuilderWithRuntime({ cfg, channel, accountId: params.accountId, peer: params.peer, runtime: runtime.channel, sessionStore: cfg.session?.store });
  const { storePath, body } = buildEnvelope({ channel: params.channelLabel, from: conversationLabel, body: rawBody, timestamp });
  const accountId = route.accountId ?? params.accountId;
  const ctxPayload = reply.finalizeInboundContext({
    Body: body, BodyForAgent: params.bodyForAgent ?? rawBody, RawBody: rawBody, CommandBody: params.commandBody ?? rawBody,
    From: senderAddress, To: recipientAddress, SessionKey: route.sessionKey, AccountId: accountId, ChatType: 'direct', ConversationLabel: conversationLabel, SenderId: params.senderId,
    Provider: params.provider ?? channel, Surface: params.surface ?? channel, MessageSid: messageId, MessageSidFull: messageId, Timestamp: timestamp, CommandAuthorized: params.commandAuthorized,
    OriginatingChannel: params.originatingChannel ?? channel, OriginatingTo: params.originatingTo ?? recipientAddress, ...params.extraContext,
  });
  await recordChannelMessageReplyDispatch({
    cfg, channel, accountId, agentId: route.agentId, routeSessionKey: route.sessionKey, storePath, ctxPayload, recordInboundSession: session.recordInboundSession,
    dispatchReplyWithBufferedBlockDispatcher: reply.dispatchReplyWithBufferedBlockDispatcher, deliver: params.deliver, onRecordError: params.onRecordError, onDispatchError: params.onDispatchError,
  });
  return { route, storePath, ctxPayload };
}
