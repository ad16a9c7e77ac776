// Whether the answer itself goes to the chat, or only what the agent sends with its message tool.
import { normalizeChatType } from './accounts.js';
import { normalizeLowercaseStringOrEmpty } from './strings.js';

function fromGateway(ctx) {
  const [provider, surface] = [ctx.Provider, ctx.Surface].map(normalizeLowercaseStringOrEmpty);
  return (provider || surface) === 'webchat' && (surface === 'webchat' || !surface) && ctx.ExplicitDeliverRoute !== true;
}

/** The command of a context: noted by the channel, or read from its older members. */
function commandOf(ctx) {
  if (ctx.CommandTurn) return ctx.CommandTurn;
  const body = ctx.CommandBody ?? ctx.BodyForCommands ?? ctx.RawBody ?? '';
  const kind = ctx.CommandSource === 'native' ? 'native' : ctx.CommandSource === 'text' || body.trim().startsWith('/') ? 'text-slash' : 'normal';
  return { kind, authorized: ctx.CommandAuthorized === true, body };
}

/** @param {{cfg: any, ctx: any, requested?: string, strictMessageToolOnly?: boolean, messageToolAvailable?: boolean, defaultVisibleReplies?: string}} params @returns {'automatic'|'message_tool_only'} */
export function resolveChannelSourceReplyDeliveryMode({ cfg, ctx, requested, strictMessageToolOnly, messageToolAvailable, defaultVisibleReplies }) {
  const internal = fromGateway(ctx);
  if (strictMessageToolOnly === true || (ctx.InboundEventKind === 'room_event' && !internal)) return 'message_tool_only';
  if (requested && (requested !== 'message_tool_only' || messageToolAvailable !== false)) return requested;
  const command = commandOf(ctx);
  if (command.kind === 'native' || (command.kind === 'text-slash' && command.authorized)) return 'automatic';
  const grouped = ['group', 'channel'].includes(normalizeChatType(ctx.ChatType));
  if (grouped && command.kind === 'text-slash' && (command.commandName !== undefined || command.body?.trim().startsWith('/'))) return 'message_tool_only';
  const { messages } = cfg;
  const wanted = grouped ? (messages?.groupChat?.visibleReplies ?? messages?.visibleReplies) : (messages?.visibleReplies ?? (internal ? 'automatic' : defaultVisibleReplies));
  return wanted === 'message_tool' && messageToolAvailable !== false ? 'message_tool_only' : 'automatic';
}
export { resolveChannelSourceReplyDeliveryMode as resolveChannelMessageSourceReplyDeliveryMode };
