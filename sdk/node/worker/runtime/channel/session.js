// Session rows from the point of view of a channel: who wrote last, and where an answer goes.
import { ask, askSync } from '../group.js';

/** Facts of an inbound message that a session row keeps (CH-152). */
const META = [
  'ChatType', 'Provider', 'Surface', 'OriginatingChannel', 'OriginatingTo', 'AccountId', 'From', 'To', 'SenderId', 'SenderName', 'ConversationLabel',
  'GroupSubject', 'GroupChannel', 'GroupSpace', 'MessageThreadId', 'ThreadLabel', 'NativeChannelId', 'ChatId',
];
const metaOf = (ctx = {}) => Object.fromEntries(META.filter((name) => ctx[name] !== undefined && ctx[name] !== null).map((name) => [name, ctx[name]]));

/** The members of `api.runtime.channel.session`. */
export function sessionGroup(plugin) {
  const recordSessionMetaFromInbound = ({ sessionKey, ctx, groupResolution, createIfMissing = true }) =>
    ask(plugin, 'host.channel.recordMeta', { sessionKey, meta: metaOf(ctx), groupResolution, createIfMissing });
  const updateLastRoute = ({ sessionKey, ctx, createIfMissing = true, groupResolution, deliveryContext, ...flat }) => {
    const route = { channel: flat.channel, to: flat.to, accountId: flat.accountId, threadId: flat.threadId, ...deliveryContext };
    return ask(plugin, 'host.channel.updateLastRoute', { sessionKey, route, meta: ctx ? metaOf(ctx) : undefined, groupResolution, createIfMissing });
  };
  return {
    resolveStorePath: (store, options) => askSync(plugin, 'host.session.resolveStorePath', { store, ...options }),
    readSessionUpdatedAt: ({ sessionKey }) => askSync(plugin, 'host.channel.sessionUpdatedAt', { sessionKey }) ?? undefined,
    recordSessionMetaFromInbound,
    updateLastRoute,
    async recordInboundSession({ sessionKey, ctx, groupResolution, createIfMissing, updateLastRoute: update, onRecordError, trackSessionMetaTask }) {
      const task = recordSessionMetaFromInbound({ sessionKey, ctx, groupResolution, createIfMissing }).catch((error) => onRecordError?.(error));
      trackSessionMetaTask?.(task);
      // The turn that follows reads the row.
      await task;
      if (!update || pinned(update.mainDmOwnerPin)) return;
      const same = update.sessionKey.trim().toLowerCase() === sessionKey.trim().toLowerCase();
      const { channel, to, accountId, threadId } = update;
      await updateLastRoute({ sessionKey: update.sessionKey, deliveryContext: { channel, to, accountId, threadId }, ctx: same ? ctx : undefined, groupResolution, createIfMissing });
    },
  };
}

/** Only the pinned owner moves the route of the main session (CH-49). */
function pinned(pin) {
  const [owner, sender] = [pin?.ownerRecipient, pin?.senderRecipient].map((text) => (typeof text === 'string' ? text.trim().toLowerCase() : ''));
  if (!owner || !sender || owner === sender) return false;
  pin.onSkip?.({ ownerRecipient: pin.ownerRecipient, senderRecipient: pin.senderRecipient });
  return true;
}
