// Messages that a plugin sends through a channel of the gateway, with what became of each.
import { randomUUID } from 'node:crypto';
import { createLogger } from '../../worker/logger.js';
import { ask } from '../../worker/runtime/group.js';
import { formatErrorMessage } from './error-text.js';
import { createLiveMessageState, markLiveMessagePreviewUpdated } from './live-preview.js';
import { createOutboundPayloadPlan, projectOutboundPayloadPlanForDelivery } from './outbound-plan.js';
import { ownPlugin } from './own-plugin.js';
import { createRenderedMessageBatch } from './rendered-batch.js';
import { createMessageReceiptFromOutboundResults, listMessageReceiptPlatformIds } from './send-result.js';
import { normalizeOptionalString } from './strings.js';

const threadText = (threadId) => (threadId === undefined || threadId === null ? undefined : String(threadId));

async function sendOne(plugin, params, payload) {
  const { channel, to, accountId, threadId, silent, session } = params;
  const replyToId = payload.replyToId ?? params.replyToId ?? undefined;
  const sent = await ask(plugin, 'host.channel.send', { channel, to, accountId, threadId: threadId ?? undefined, replyToId, silent, sessionKey: session?.key, payload });
  if (sent.status === 'unsupported') throw Object.assign(new Error(sent.reason), { code: 'UNSUPPORTED' });
  return sent;
}

/** Sends payloads in order and stops at the first that fails, unless `bestEffort` is set. */
async function sendAll(params, payloads, signal) {
  const plugin = ownPlugin('api.runtime.channel.outbound');
  const [results, outcomes] = [[], []];
  const note = (outcome) => {
    outcomes.push(outcome);
    params.onPayloadDeliveryOutcome?.(outcome);
  };
  for (const [index, payload] of payloads.entries()) {
    try {
      signal?.throwIfAborted();
      params.onPayload?.(payload);
      const sent = await sendOne(plugin, params, payload);
      results.push(...(sent.results ?? []).map((result) => ({ channel: params.channel, ...result })));
      note(sent.status === 'sent' ? { index, status: 'sent', results: sent.results } : { index, status: 'suppressed', reason: 'cancelled_by_message_sending_hook' });
    } catch (error) {
      note({ index, status: 'failed', error, sentBeforeError: results.length > 0, stage: 'platform_send' });
      params.onError?.(error, payload);
      if (!params.bestEffort) break;
    }
  }
  return { results, outcomes };
}

function verdict({ results, outcomes }, params, deliveryIntent) {
  const receipt = createMessageReceiptFromOutboundResults({ results, threadId: threadText(params.threadId), replyToId: params.replyToId ?? undefined });
  const payloadOutcomes = outcomes.length > 0 ? { payloadOutcomes: outcomes } : {};
  const failed = outcomes.find(({ status }) => status === 'failed');
  if (failed && results.length > 0) return { status: 'partial_failed', results, receipt, error: failed.error, sentBeforeError: true, deliveryIntent, ...payloadOutcomes };
  if (failed) return { status: 'failed', error: failed.error, stage: failed.stage, ...payloadOutcomes };
  if (results.length > 0) return { status: 'sent', results, receipt, deliveryIntent, ...payloadOutcomes };
  const reason = outcomes.find(({ status }) => status === 'suppressed')?.reason ?? 'no_visible_result';
  return { status: 'suppressed', results: [], receipt, deliveryIntent, reason, ...payloadOutcomes };
}

/**
 * Runs something with the steps of a send: `render`, `previewUpdate`, `send`, `edit`, `delete`, `commit`, `fail`.
 * @template T
 * @param {any} params channel, target, payloads and callbacks
 * @param {(context: any) => Promise<T>} run
 * @returns {Promise<T>}
 */
export async function withDurableMessageSendContext(params, run) {
  const signal = params.signal ?? params.abortSignal;
  const { previousReceipt } = params;
  const needed = (callback, what) => {
    if (!callback) throw new Error(`this message send context cannot ${what}: no callback for it was given`);
    return callback;
  };
  const context = {
    id: `${params.channel}:${params.to}`, channel: params.channel, to: params.to, ...(params.accountId ? { accountId: params.accountId } : {}),
    durability: params.durability ?? 'required', attempt: params.attempt ?? 1, signal: signal ?? new AbortController().signal, ...(previousReceipt ? { previousReceipt } : {}),
    preview: params.preview ?? createLiveMessageState(),
    render: async () => createRenderedMessageBatch(params.payloads),
    async previewUpdate(rendered) {
      context.preview = params.onPreviewUpdate ? await params.onPreviewUpdate(rendered, context.preview) : markLiveMessagePreviewUpdated(context.preview, rendered);
      return context.preview;
    },
    async send(rendered) {
      const deliveryIntent = { id: randomUUID(), channel: params.channel, to: params.to, ...(params.accountId ? { accountId: params.accountId } : {}), queuePolicy: params.durability === 'best_effort' ? 'best_effort' : 'required' };
      context.intent = { ...deliveryIntent, durability: context.durability, renderedBatch: rendered };
      try {
        const planned = projectOutboundPayloadPlanForDelivery(createOutboundPayloadPlan(rendered.payloads));
        return verdict(await sendAll(params, planned, signal), params, deliveryIntent);
      } catch (error) {
        return { status: 'failed', error };
      }
    },
    async edit(receipt, rendered) {
      const edited = await needed(params.onEditReceipt, 'edit')(receipt, rendered);
      context.preview = { ...context.preview, receipt: edited, lastRendered: rendered };
      return edited;
    },
    delete: async (receipt) => void (await needed(params.onDeleteReceipt, 'delete')(receipt)),
    commit: async (receipt) => void (await params.onCommitReceipt?.(receipt)),
    async fail(error) {
      try {
        await params.onSendFailure?.(error);
      } catch (cleanup) {
        createLogger(ownPlugin('api.runtime.channel').id).warn(`clearing up after a failed send failed: ${formatErrorMessage(cleanup)}`);
      }
    },
  };
  try {
    return await run(context);
  } catch (error) {
    await context.fail(error);
    throw error;
  }
}

/** Sends payloads through a channel. @param {any} params @returns {Promise<any>} `status`: `sent`, `suppressed`, `partial_failed` or `failed` */
export const sendDurableMessageBatch = (params) =>
  withDurableMessageSendContext(params, async (context) => {
    const result = await context.send(await context.render());
    if (result.status === 'sent' || result.status === 'suppressed') await context.commit(result.receipt);
    else await context.fail(result.error);
    return result;
  });

const nullable = (...values) => (values.slice(0, 2).includes(null) ? null : values.map(normalizeOptionalString).find((value) => value !== undefined));

/**
 * Sends the last payload of an answer to where the message came from.
 * @param {any} params `cfg`, `channel`, `ctxPayload`, `payload`, `info`, and what overrides the context
 * @returns {Promise<any>} `status`: `handled_visible`, `handled_no_send`, `not_applicable`, `unsupported` or `failed`
 */
export async function deliverInboundReplyWithMessageSendContext(params) {
  const { info, ctxPayload: ctx, payload } = params;
  if (info.kind !== 'final') return { status: 'not_applicable', reason: 'non_final' };
  const channel = normalizeOptionalString(params.channel);
  const to = [params.to, ctx.OriginatingTo, ctx.To].map(normalizeOptionalString).find(Boolean);
  if (!channel || !to) return { status: 'unsupported', reason: channel ? 'missing_target' : 'missing_channel' };
  const replyToId = nullable(params.replyToId, payload.replyToId, ctx.ReplyToIdFull, ctx.ReplyToId);
  const threadId = 'threadId' in params ? params.threadId : ctx.MessageThreadId;
  const accountId = params.accountId ?? ctx.AccountId;
  const sent = await sendDurableMessageBatch({ ...params, channel, to, accountId, payloads: [payload], threadId, replyToId, session: { key: ctx.SessionKey }, durability: 'best_effort' });
  if (sent.error?.code === 'UNSUPPORTED') return { status: 'unsupported', reason: 'missing_outbound_handler' };
  if (sent.error) return { status: 'failed', error: sent.error };
  const messageIds = listMessageReceiptPlatformIds(sent.receipt);
  const delivery = {
    ...(messageIds.length > 0 ? { messageIds } : {}), receipt: sent.receipt, ...(threadText(threadId) ? { threadId: threadText(threadId) } : {}), ...(replyToId ? { replyToId } : {}),
    visibleReplySent: sent.status === 'sent', ...(sent.deliveryIntent ? { deliveryIntent: sent.deliveryIntent } : {}),
  };
  return sent.status === 'sent' ? { status: 'handled_visible', delivery } : { status: 'handled_no_send', reason: 'no_visible_result', delivery };
}
export const deliverDurableInboundReplyPayload = deliverInboundReplyWithMessageSendContext;

/**
 * Sends payloads and gives their results; an error ends the rest unless `bestEffort` is set.
 * @param {any} params as of `sendDurableMessageBatch`
 * @returns {Promise<any[]>}
 */
export async function deliverOutboundPayloads(params) {
  const sent = await sendDurableMessageBatch(params);
  if (sent.error && !params.bestEffort) throw sent.error;
  return sent.results ?? [];
}

/**
 * Deliveries that wait are kept and repeated by the gateway, which hears itself when a channel connects again; there is nothing left to do here.
 * @param {{logLabel?: string, drainKey?: string}} params
 * @returns {Promise<void>}
 */
export async function drainPendingDeliveries(params) {
  createLogger(ownPlugin('api.runtime.channel').id).debug(`${params.logLabel ?? 'deliveries'}: the gateway repeats what waits for ${params.drainKey ?? 'this channel'}`);
}
