// The last step of an inbound context: texts made safe, commands and labels filled in, media types completed.
import { normalizeChatType } from './accounts.js';
import { normalizeOptionalString } from './strings.js';

const MEDIA_TYPE = 'application/octet-stream';

/** What others wrote must not look like the gateway's own marks. @param {string} text @returns {string} */
export const sanitizeInboundSystemTags = (text) =>
  text.replace(/\[\s*(System\s*Message|System|Assistant|Internal)\s*\]/gi, '($1)').replace(/^(\s*)System:(?=\s|$)/gim, '$1System (untrusted):');

const oneNewline = (text) => text.replace(/\r\n?/g, '\n');
const safe = (value) => (typeof value === 'string' ? sanitizeInboundSystemTags(oneNewline(value)) : undefined);

const SOURCES = { native: 'native', text: 'text-slash', message: 'normal' };

/** What a message is: a native command, a command in its text, or a plain message. @param {'native'|'text'|'message'|string} source @param {{authorized?: boolean, commandName?: string, body?: string}} input @returns {any} */
export function createCommandTurnContext(source, { authorized, commandName, body }) {
  const known = source === 'native' || source === 'text' ? source : 'message';
  return { kind: SOURCES[known], source: known, authorized: known === 'message' ? false : authorized, commandName, body };
}
/** @param {any} turn @returns {boolean} */
export const isNativeCommandTurn = (turn) => turn?.kind === 'native';
/** @param {any} turn @returns {boolean} */
export const isTextSlashCommandTurn = (turn) => turn?.kind === 'text-slash';
/** @param {any} turn @returns {boolean} */
export const isAuthorizedTextSlashCommandTurn = (turn) => isTextSlashCommandTurn(turn) && turn.authorized;
/** Whether somebody who may gave a command. @param {any} turn @returns {boolean} */
export const isExplicitCommandTurn = (turn) => isNativeCommandTurn(turn) || isAuthorizedTextSlashCommandTurn(turn);

const nameOf = (body) => (body?.startsWith('/') ? normalizeOptionalString(body.slice(1).split(/\s/, 1)[0].split('@', 1)[0]) : undefined);
const bodyOf = (ctx) => [ctx.CommandBody, ctx.BodyForCommands, ctx.RawBody, ctx.Body].map(normalizeOptionalString).find(Boolean);

/** The command that a context carries: noted, or read from its older members. @param {any} ctx @returns {any} */
export function resolveCommandTurnContext(ctx) {
  const noted = ctx.CommandTurn && typeof ctx.CommandTurn === 'object' ? ctx.CommandTurn : {};
  const byKind = Object.keys(SOURCES).find((source) => SOURCES[source] === noted.kind);
  const source = Object.hasOwn(SOURCES, noted.source ?? '') ? noted.source : byKind;
  if (source && (!byKind || byKind === source)) {
    const body = normalizeOptionalString(noted.body) ?? bodyOf(ctx);
    const authorized = typeof noted.authorized === 'boolean' ? noted.authorized : ctx.CommandAuthorized === true;
    return createCommandTurnContext(source, { authorized, commandName: normalizeOptionalString(noted.commandName) ?? nameOf(body), body });
  }
  const body = bodyOf(ctx);
  return createCommandTurnContext(ctx.CommandSource, { authorized: ctx.CommandAuthorized === true, commandName: nameOf(body), body });
}

/** How a conversation is called. @param {any} ctx @returns {string|undefined} */
export function resolveConversationLabel(ctx) {
  const own = normalizeOptionalString(ctx.ConversationLabel) ?? normalizeOptionalString(ctx.ThreadLabel);
  if (own) return own;
  const from = normalizeOptionalString(ctx.From);
  if (normalizeChatType(ctx.ChatType) === 'direct') return normalizeOptionalString(ctx.SenderName) ?? from;
  const base = [ctx.GroupChannel, ctx.GroupSubject, ctx.GroupSpace, from].map(normalizeOptionalString).find(Boolean);
  const id = from?.split(':').filter(Boolean).at(-1) ?? from;
  const telling = id && (/^\d+$/.test(id) || /^[^\s:@]+@[^\s:@]+$/.test(id));
  if (!base || !telling || base.includes(id) || /\sid:/i.test(base) || /^[#@]/.test(base)) return base;
  return `${base} id:${id}`;
}

const SUPPLEMENTAL = {
  ReplyToId: ['quote', 'id'], ReplyToIdFull: ['quote', 'fullId'], ReplyToBody: ['quote', 'body'], ReplyToSender: ['quote', 'sender'], ReplyToIsQuote: ['quote', 'isQuote'],
  ForwardedFrom: ['forwarded', 'from'], ForwardedFromType: ['forwarded', 'fromType'], ForwardedFromId: ['forwarded', 'fromId'], ForwardedDate: ['forwarded', 'date'],
  ThreadStarterBody: ['thread', 'starterBody'], ThreadHistoryBody: ['thread', 'historyBody'], ThreadLabel: ['thread', 'label'],
  GroupSystemPrompt: ['groupSystemPrompt'], UntrustedStructuredContext: ['untrustedContext'],
};

function addSupplemental(ctx) {
  if (!ctx.SupplementalContext) return;
  for (const [member, path] of Object.entries(SUPPLEMENTAL)) {
    const value = path.reduce((part, key) => part?.[key], ctx.SupplementalContext);
    if (value !== undefined && ctx[member] === undefined) ctx[member] = value;
  }
  delete ctx.SupplementalContext;
}

/** Every file gets a type. */
function completeMediaTypes(ctx) {
  const length = (list) => (Array.isArray(list) ? list.length : 0);
  const count = Math.max(length(ctx.MediaPaths), length(ctx.MediaUrls), ctx.MediaPath || ctx.MediaUrl ? 1 : 0);
  if (count === 0) return;
  const plain = (value) => normalizeOptionalString(value)?.split(';', 1)[0].toLowerCase();
  const first = plain(ctx.MediaType);
  const given = length(ctx.MediaTypes) > 0 ? ctx.MediaTypes.map(plain) : [first];
  ctx.MediaTypes = Array.from({ length: Math.max(count, given.length) }, (_none, index) => given[index] ?? MEDIA_TYPE);
  ctx.MediaType = first ?? ctx.MediaTypes[0];
}

/**
 * Completes a context in place and returns it.
 * @param {any} ctx @param {{forceBodyForAgent?: boolean, forceBodyForCommands?: boolean, forceChatType?: boolean, forceConversationLabel?: boolean}} [options] @returns {any}
 */
export function finalizeInboundContext(ctx, options = {}) {
  addSupplemental(ctx);
  ctx.Body = safe(ctx.Body) ?? '';
  for (const member of ['RawBody', 'CommandBody', 'Transcript', 'ThreadStarterBody', 'ThreadHistoryBody']) ctx[member] = safe(ctx[member]);
  ctx.GroupSystemPrompt = typeof ctx.GroupSystemPrompt === 'string' ? oneNewline(ctx.GroupSystemPrompt) : undefined;
  if (Array.isArray(ctx.UntrustedContext)) ctx.UntrustedContext = ctx.UntrustedContext.map(safe).filter(Boolean);
  ctx.ChatType = normalizeChatType(ctx.ChatType) ?? ctx.ChatType;
  const text = ctx.CommandBody ?? ctx.RawBody ?? ctx.Body;
  ctx.BodyForAgent = safe(options.forceBodyForAgent ? ctx.Body : (ctx.BodyForAgent ?? text));
  ctx.BodyForCommands = safe(options.forceBodyForCommands ? text : (ctx.BodyForCommands ?? text));
  const label = normalizeOptionalString(resolveConversationLabel(ctx));
  if (label) ctx.ConversationLabel = label;
  ctx.CommandAuthorized = ctx.CommandAuthorized === true;
  ctx.CommandTurn = resolveCommandTurnContext(ctx);
  const command = ctx.CommandTurn.source !== 'message';
  ctx.CommandSource = command ? ctx.CommandTurn.source : undefined;
  if (command) ctx.CommandAuthorized = ctx.CommandTurn.authorized;
  completeMediaTypes(ctx);
  return ctx;
}
