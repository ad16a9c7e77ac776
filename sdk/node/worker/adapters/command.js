// Adapter `command`: adds the conversation-binding helpers to the context of a chat command.
import { peer, snapshot } from '../state.js';

/** Runs a command; anything but an object is an empty reply. */
export async function run(row, [ctx]) {
  const conversation = {
    pluginId: row.pluginId,
    channel: ctx.channel,
    accountId: ctx.accountId,
    from: ctx.from,
    to: ctx.to,
    senderId: ctx.senderId,
    sessionKey: ctx.sessionKey,
    messageThreadId: ctx.messageThreadId,
    threadParentId: ctx.threadParentId,
  };
  const reply = await row.fn.call(row.self, {
    ...ctx,
    config: ctx.config ?? snapshot.config,
    requestConversationBinding: (params) => peer.request('host.binding.request', { ...conversation, binding: params ?? {} }),
    detachConversationBinding: () => peer.request('host.binding.detach', conversation),
    getCurrentConversationBinding: () => peer.request('host.binding.current', conversation),
  });
  return reply !== null && typeof reply === 'object' ? reply : {};
}
