// From an inbound message to its reply: the host runs the turn, the payloads go through the channel's dispatcher.
import { randomUUID } from 'node:crypto';
import { snapshot } from '../../state.js';
import { ask } from '../group.js';
import { createReplyDispatcherWithTyping, settleReplyDispatcher, withReplyDispatcher } from './dispatcher.js';
import { finalizeInboundContext } from '../../../plugin-sdk/internal/inbound-finalize.js';
import { noteActivity } from './activity.js';

/** Members of the context that are for this worker only. */
const LOCAL_MEMBERS = new Set(['MediaBuffers', 'raw', 'Raw']);
/** Options of a run that the host understands. */
const RUN_OPTIONS = [
  'runId', 'images', 'suppressTyping', 'thinkingLevelOverride', 'disableTools', 'sourceReplyDeliveryMode', 'timeoutOverrideSeconds', 'skillFilter',
  'disableBlockStreaming', 'isHeartbeat',
];

function withoutFunctions(value) {
  return JSON.parse(JSON.stringify(value, (key, member) => (LOCAL_MEMBERS.has(key) || typeof member === 'function' ? undefined : member)) ?? '{}');
}

/** Callbacks of a run by the event that the host sends. A failing one is its owner's matter and must not end the run. */
function listener(plugin, replyOptions, runId, dispatcher) {
  const call = async (name, ...args) => {
    try {
      await replyOptions[name]?.(...args);
    } catch (error) {
      plugin.logger.warn(`\`replyOptions.${name}\` failed: ${error?.message ?? error}`);
    }
  };
  return async function onChannelRunEvent(event) {
    switch (event?.type) {
      case 'start':
        await call('onAgentRunStart', event.runId ?? runId);
        return call('onReplyStart');
      case 'assistantStart':
        return call('onAssistantMessageStart');
      case 'partial':
        return call('onPartialReply', { text: event.text, delta: event.delta });
      case 'tool':
        return call('onToolStart', { name: event.name, phase: event.phase, args: event.args });
      case 'item':
        return call('onItemEvent', event.item);
      case 'model':
        return call('onModelSelected', { provider: event.provider, model: event.model, thinkLevel: event.thinkLevel });
      case 'notice':
        return void dispatcher.sendBlockReply({ text: event.text });
      default:
        return undefined;
    }
  };
}

const WANTED = {
  onPartialReply: 'partial', onAssistantMessageStart: 'assistantStart', onToolStart: 'tool', onItemEvent: 'item', onModelSelected: 'model',
};

/** Runs the turn of a message and sends what it says through `dispatcher`. */
export async function dispatchReplyFromConfig(plugin, params) {
  const { ctx: given, dispatcher, replyOptions = {}, replyResolver, configOverride } = params;
  const ctx = finalizeInboundContext(given);
  const runId = replyOptions.runId ?? randomUUID();
  const cfg = configOverride ?? params.cfg ?? snapshot.config;
  const options = Object.fromEntries(RUN_OPTIONS.filter((name) => replyOptions[name] !== undefined).map((name) => [name, replyOptions[name]]));
  noteActivity(plugin, ctx.OriginatingChannel ?? ctx.Provider, ctx.AccountId, 'inbound');
  if (replyResolver) return resolvedReply(await replyResolver(ctx, { ...replyOptions, runId }, cfg), dispatcher);
  const wants = Object.entries(WANTED).filter(([name]) => replyOptions[name]).map(([, type]) => type);
  const request = { ctx: withoutFunctions(ctx), options: { ...options, runId }, wants, onEvent: listener(plugin, replyOptions, runId, dispatcher) };
  try {
    const answer = await ask(plugin, 'host.channel.dispatch', request, replyOptions.abortSignal);
    return await sendReplies(plugin, ctx, answer, dispatcher);
  } finally {
    await replyOptions.onTypingCleanup?.();
  }
}

async function resolvedReply(reply, dispatcher) {
  const payloads = reply === undefined || reply === null ? [] : [reply].flat();
  let queuedFinal = false;
  for (const payload of payloads) queuedFinal = dispatcher.sendFinalReply(payload) || queuedFinal;
  return result(dispatcher, queuedFinal);
}

async function sendReplies(plugin, ctx, answer, dispatcher) {
  let queuedFinal = false;
  const senders = { tool: 'sendToolResult', block: 'sendBlockReply', final: 'sendFinalReply' };
  const failedBefore = dispatcher.getFailedCounts?.().final ?? 0;
  for (const { kind, payload } of answer?.replies ?? []) {
    const sent = dispatcher[senders[kind] ?? 'sendFinalReply'](payload);
    if (kind !== 'tool' && kind !== 'block') queuedFinal = sent || queuedFinal;
  }
  if (queuedFinal && answer?.deliveryId) {
    await dispatcher.waitForIdle();
    const failed = (dispatcher.getFailedCounts?.().final ?? 0) > failedBefore;
    noteActivity(plugin, ctx.OriginatingChannel ?? ctx.Provider, ctx.AccountId, 'outbound');
    await ask(plugin, 'host.channel.delivered', { deliveryId: answer.deliveryId, success: !failed });
  }
  return {
    ...result(dispatcher, queuedFinal),
    ...(answer?.sourceReplyDeliveryMode ? { sourceReplyDeliveryMode: answer.sourceReplyDeliveryMode } : {}),
    ...(answer?.beforeAgentRunBlocked ? { beforeAgentRunBlocked: true } : {}),
  };
}

function result(dispatcher, queuedFinal) {
  const failedCounts = dispatcher.getFailedCounts?.();
  return { queuedFinal, counts: dispatcher.getQueuedCounts(), ...(failedCounts ? { failedCounts } : {}) };
}

/** The same with a dispatcher made from `dispatcherOptions`; it waits until everything is delivered. */
export async function dispatchReplyWithBufferedBlockDispatcher(plugin, { ctx, cfg, dispatcherOptions, replyOptions, replyResolver }) {
  const { dispatcher, replyOptions: typing, markDispatchIdle, markRunComplete } = createReplyDispatcherWithTyping(dispatcherOptions);
  return withReplyDispatcher({
    dispatcher,
    run: async () => {
      try {
        return await dispatchReplyFromConfig(plugin, { ctx, cfg, dispatcher, replyOptions: { ...replyOptions, ...given(typing) }, replyResolver });
      } finally {
        markRunComplete();
      }
    },
    onSettled: markDispatchIdle,
  });
}

const given = (members) => Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined));

export { settleReplyDispatcher, withReplyDispatcher };
