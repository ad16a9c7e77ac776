// The context of an inbound message, from the facts that a channel has about it.
import { finalizeInboundContext } from './inbound-finalize.js';

/** Where each member of the context comes from, in order of preference: a path into the facts, or a function of them. */
const MEMBERS = {
  Body: ['message.body', 'message.rawBody'],
  InboundEventKind: ['message.inboundEventKind', () => 'user_request'],
  BodyForAgent: ['message.bodyForAgent', 'message.rawBody'],
  InboundHistory: ['message.inboundHistory'],
  SourceModality: ['message.sourceModality'],
  RawBody: ['message.rawBody'],
  CommandBody: ['message.commandBody', 'message.rawBody'],
  BodyForCommands: ['message.commandBody', 'message.rawBody'],
  From: ['from'],
  To: ['reply.to'],
  SessionKey: ['route.dispatchSessionKey', 'route.routeSessionKey'],
  AgentId: ['route.agentId'],
  AccountId: ['route.accountId', 'accountId'],
  ParentSessionKey: ['route.parentSessionKey'],
  ModelParentSessionKey: ['route.modelParentSessionKey'],
  MessageSid: ['messageId'],
  MessageSidFull: ['messageIdFull'],
  ReplyToId: ['reply.replyToId'],
  ReplyToIdFull: ['reply.replyToIdFull'],
  ChatType: ['conversation.kind'],
  ChatId: ['conversation.id'],
  ConversationLabel: ['conversation.label'],
  GroupSubject: [({ conversation }) => (conversation.kind === 'direct' ? undefined : conversation.label)],
  GroupSpace: ['conversation.spaceId'],
  SenderName: ['sender.name', 'sender.displayLabel'],
  SenderId: ['sender.id'],
  SenderUsername: ['sender.username'],
  SenderTag: ['sender.tag'],
  MemberRoleIds: ['sender.roles'],
  Timestamp: ['timestamp'],
  Provider: ['provider', 'channel'],
  Surface: ['surface', 'provider', 'channel'],
  WasMentioned: ['access.mentions.wasMentioned'],
  ExplicitlyMentionedBot: ['access.mentions.explicitlyMentionedBot'],
  MentionedUserIds: ['access.mentions.mentionedUserIds'],
  MentionedSubteamIds: ['access.mentions.mentionedSubteamIds'],
  ImplicitMentionKinds: ['access.mentions.implicitMentionKinds'],
  MentionSource: ['access.mentions.mentionSource'],
  CommandAuthorized: [({ access }) => commandAuthorized(access)],
  CommandTurn: ['commandTurn', commandTurn],
  MessageThreadId: ['reply.messageThreadId', 'conversation.threadId'],
  NativeChannelId: ['reply.nativeChannelId', 'conversation.nativeChannelId'],
  ChannelContext: ['channelContext'],
  OriginatingChannel: ['channel'],
  OriginatingTo: ['reply.originatingTo', 'reply.to'],
  ThreadParentId: ['reply.threadParentId', 'conversation.parentId'],
};

const at = (facts, path) => path.split('.').reduce((value, name) => value?.[name], facts);

function commandAuthorized(access) {
  const commands = access?.commands;
  return typeof commands?.authorized === 'boolean' ? commands.authorized : Boolean(commands?.authorizers?.some((row) => row.allowed));
}

function commandTurn({ command, message, access }) {
  if (!command) return undefined;
  const source = command.kind === 'normal' ? 'message' : command.kind;
  const authorized = command.kind === 'normal' ? false : (command.authorized ?? commandAuthorized(access));
  return { kind: command.kind, source, authorized, commandName: command.name, body: command.body ?? message.commandBody ?? message.rawBody };
}

/** Whether a quote, a forward or a thread may be shown to the agent. */
function visible(kind, mode, senderAllowed) {
  if (!mode || mode === 'all' || senderAllowed === true) return true;
  return senderAllowed !== undefined && mode === 'allowlist_quote' && kind === 'quote';
}

function shown(supplemental, mode) {
  if (!supplemental) return undefined;
  const out = { ...supplemental };
  for (const kind of ['quote', 'forwarded', 'thread']) if (!visible(kind, mode, supplemental[kind]?.senderAllowed)) out[kind] = undefined;
  return out;
}

/** The quote without what only the channel needs, and the media that it brings. */
function quoteOf(quote, quoteMedia, { suppressSelfQuoteBody = true, suppressSelfQuoteMedia = true }) {
  const { media: _media, isSelf, ...rest } = quote;
  if (isSelf === true && suppressSelfQuoteBody) delete rest.body;
  return { quote: rest, media: isSelf === true && suppressSelfQuoteMedia ? [] : (quoteMedia ?? []) };
}

const typeOf = (item) => item.contentType ?? item.kind;
const aligned = (list) => (list.some(Boolean) ? list.map((item) => item ?? '') : undefined);

/** The members of the context that describe attached media. */
export function buildChannelInboundMediaPayload(media) {
  const items = Array.isArray(media) ? media : [];
  const transcribed = items.flatMap((item, index) => (item.transcribed ? [index] : []));
  return {
    MediaPath: items[0]?.path,
    MediaUrl: items[0]?.url ?? items[0]?.path,
    MediaType: items[0] && typeOf(items[0]),
    MediaPaths: aligned(items.map((item) => item.path)),
    MediaUrls: aligned(items.map((item) => item.url ?? item.path)),
    MediaTypes: aligned(items.map(typeOf)),
    MediaTranscribedIndexes: transcribed.length > 0 ? transcribed : undefined,
  };
}

function untrusted(supplemental, extra) {
  const rows = [...(Array.isArray(extra) ? extra : []), ...(supplemental?.untrustedContext ?? [])];
  const prompt = supplemental?.untrustedGroupSystemPrompt;
  if (typeof prompt === 'string' && prompt.trim()) {
    rows.push({ label: 'Group prompt context', type: 'group_prompt_context', payload: { text: prompt.replace(/\r\n?/g, '\n') } });
  }
  return rows.length > 0 ? rows : undefined;
}

/** What goes with a message as far as it may be shown, and the media with those of the quote; a promise when these must be fetched. */
function prepared(params, raw) {
  const supplemental = shown(raw, params.contextVisibility);
  const media = [...(params.media ?? [])];
  const withQuote = (quoteMedia) => {
    const own = quoteOf(supplemental.quote, quoteMedia, params);
    return { raw, supplemental: { ...supplemental, quote: own.quote }, media: [...media, ...own.media] };
  };
  if (!supplemental?.quote) return { raw, supplemental, media };
  const { media: given, isSelf } = supplemental.quote;
  if (isSelf === true && (params.suppressSelfQuoteMedia ?? true)) return withQuote(undefined);
  if (!params.resolveSupplementalMedia) return withQuote(Array.isArray(given) ? given : undefined);
  const found = typeof given === 'function' ? given() : given;
  return typeof found?.then === 'function' ? found.then(withQuote) : withQuote(found);
}

const hidden = ({ raw, supplemental }, kind) => Boolean(raw?.[kind] && !supplemental?.[kind]);

/**
 * Adds to a context what goes with its message, and says what of it the agent may not see; a promise with `resolveSupplementalMedia`.
 * @param {any} params
 * @returns {any}
 */
export function finalizeChannelInboundContext(params) {
  const { context } = params;
  const finish = (result) => {
    const { supplemental } = result;
    const payload = Object.entries(buildChannelInboundMediaPayload(result.media)).filter(([, value]) => value !== undefined);
    const whole = { ...context, SupplementalContext: supplemental, ...Object.fromEntries(payload) };
    whole.UntrustedStructuredContext = untrusted(supplemental, context.UntrustedStructuredContext);
    const finalized = (params.finalize ?? finalizeInboundContext)(whole, params.finalizeOptions);
    return { context: finalized, supplemental, quoteHidden: hidden(result, 'quote'), forwardedHidden: hidden(result, 'forwarded'), threadHidden: hidden(result, 'thread') };
  };
  if (params.resolveSupplementalMedia) return (async () => finish(await prepared(params, params.supplemental ?? context.SupplementalContext)))();
  return finish(prepared(params, params.supplemental ?? context.SupplementalContext));
}

/** What may be shown with a message, its media and those of its quote. @param {any} params @returns {Promise<{supplemental?: object, media: object[], quoteHidden: boolean}>} */
export async function resolveChannelInboundSupplementalContext(params) {
  const result = await prepared({ ...params, resolveSupplementalMedia: true }, params.supplemental);
  return { supplemental: result.supplemental, media: result.media, quoteHidden: hidden(result, 'quote') };
}

/** The context of one inbound message; a promise with `resolveSupplementalMedia`, since quoted media may have to be fetched. */
export function buildChannelInboundEventContext(params) {
  const context = {};
  for (const [name, sources] of Object.entries(MEMBERS)) {
    for (const source of sources) {
      context[name] ??= typeof source === 'function' ? source(params) : at(params, source);
    }
  }
  Object.assign(context, params.extra);
  const finished = finalizeChannelInboundContext({ ...params, context });
  return params.resolveSupplementalMedia ? finished.then((result) => result.context) : finished.context;
}
export const buildChannelTurnContext = buildChannelInboundEventContext;
