// Replies of channels for plugins that import the functions in place of asking `api.runtime.channel`.
import { pluginOf } from '../../worker/state.js';
import * as dispatch from '../../worker/runtime/channel/dispatch.js';
import { createReplyDispatcher, createReplyDispatcherWithTyping, settleReplyDispatcher, withReplyDispatcher } from '../../worker/runtime/channel/dispatcher.js';

/** The plugin of this worker; with several of them only `api.runtime` knows whose call it is. */
function plugin() {
  const found = pluginOf();
  if (!found) throw Object.assign(new Error('this function needs the gateway and a worker with one plugin; use `api.runtime.channel`'), { code: 'NOT_BUILT' });
  return found;
}

export { createReplyDispatcher, createReplyDispatcherWithTyping, settleReplyDispatcher, withReplyDispatcher };

/** Runs the turn of a message with a dispatcher that exists. */
export const dispatchReplyFromConfig = (params) => dispatch.dispatchReplyFromConfig(plugin(), params);
/** Runs the turn of a message with a dispatcher made for it. */
export const dispatchReplyWithBufferedBlockDispatcher = (params) => dispatch.dispatchReplyWithBufferedBlockDispatcher(plugin(), params);

/** The same without a typing indicator. */
export async function dispatchReplyWithDispatcher({ ctx, cfg, dispatcherOptions, replyOptions, replyResolver }) {
  const dispatcher = createReplyDispatcher(dispatcherOptions);
  return withReplyDispatcher({ dispatcher, run: () => dispatchReplyFromConfig({ ctx, cfg, dispatcher, replyOptions, replyResolver }) });
}

/** Runs the turn of a message and waits until everything is delivered. */
export const dispatchReplyFromConfigWithSettledDispatcher = ({ cfg, ctxPayload, ctx = ctxPayload, dispatcher, onSettled, replyOptions, replyResolver, configOverride }) =>
  withReplyDispatcher({ dispatcher, onSettled, run: () => dispatchReplyFromConfig({ cfg, ctx, dispatcher, replyOptions, replyResolver, configOverride }) });
