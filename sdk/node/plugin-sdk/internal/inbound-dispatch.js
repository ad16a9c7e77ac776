// Turns of inbound messages with a dispatcher of the caller's, or for their replies alone.
import { finalizeInboundContext } from './inbound-finalize.js';
import { createReplyDispatcher, dispatchReplyFromConfig, dispatchReplyWithBufferedBlockDispatcher, withReplyDispatcher } from './reply-dispatch.js';

/** Runs the turn of a message and waits until everything is delivered. @param {{ctx: object, cfg: object, dispatcher: any, replyOptions?: object, replyResolver?: Function}} params @returns {Promise<any>} */
export const dispatchInboundMessage = (params) => withReplyDispatcher({ dispatcher: params.dispatcher, run: () => dispatchReplyFromConfig({ ...params, ctx: finalizeInboundContext(params.ctx) }) });
/** The same with a dispatcher that is made for it and shows typing. @param {any} params `dispatcherOptions` in place of `dispatcher` @returns {Promise<any>} */
export const dispatchInboundMessageWithBufferedDispatcher = (params) => dispatchReplyWithBufferedBlockDispatcher(params);
/** The same without typing. @param {any} params @returns {Promise<any>} */
export const dispatchInboundMessageWithDispatcher = ({ dispatcherOptions, ...params }) => dispatchInboundMessage({ ...params, dispatcher: createReplyDispatcher(dispatcherOptions) });

/** Runs the turn of a message and gives what it says; `undefined` for nothing. @param {object} ctx @param {object} [options] @param {object} [configOverride] @returns {Promise<any>} a payload or several */
export async function getReplyFromConfig(ctx, options, configOverride) {
  const replies = [];
  const deliver = async (payload, { kind }) => {
    if (kind === 'tool') await options?.onToolResult?.(payload);
    else if (kind === 'block' && options?.onBlockReply) await options.onBlockReply(payload);
    else replies.push(payload);
  };
  await dispatchInboundMessageWithDispatcher({ ctx, cfg: configOverride, dispatcherOptions: { deliver }, replyOptions: options });
  return replies.length > 1 ? replies : replies[0];
}
/** What was heard is remembered by the gateway alone: nothing is kept here. @returns {void} */
export const resetInboundDedupe = () => {};
