// Who may give commands: the sender of a message against the lists of its channel and of the configuration.
import { ownChannel, ownChannels, normalizeMessageChannel } from './message-channels.js';
import { knownChatChannelId } from './chat-meta.js';
import { normalizeOptionalLowercaseString, normalizeOptionalString, normalizeStringEntries } from './strings.js';

const INTERNAL = 'webchat';
const anyChannel = (raw) => ownChannel(raw)?.id ?? knownChatChannelId(normalizeOptionalLowercaseString(raw) ?? '') ?? undefined;
const isWildcard = (entry) => entry.trim() === '*';
const withoutWildcard = (list) => list.filter((entry) => !isWildcard(entry));

/** A list in the form of the channel. */
function formatted({ plugin, cfg, accountId }, allowFrom) {
  if (!allowFrom?.length) return [];
  return plugin?.config?.formatAllowFrom ? plugin.config.formatAllowFrom({ cfg, accountId, allowFrom }) : normalizeStringEntries(allowFrom);
}
const entriesOf = (place, value) => formatted(place, [value]).filter((entry) => entry.trim());

function accountOf(accounts, accountId) {
  const wanted = normalizeOptionalLowercaseString(accountId);
  if (!accounts || !wanted) return undefined;
  return accounts[wanted] || accounts[Object.keys(accounts).find((key) => normalizeOptionalLowercaseString(key) === wanted)];
}
function defaultAccount({ accounts, defaultAccount: named } = {}) {
  if (!accounts) return undefined;
  const some = Object.values(accounts).filter(Boolean);
  return accountOf(accounts, named) ?? accountOf(accounts, 'default') ?? (some.length === 1 ? some[0] : undefined);
}
/** What the configuration lists for an account, where the channel's plugin does not say. */
function configured(cfg, channelId, accountId) {
  const channel = channelId ? cfg.channels?.[channelId] : undefined;
  const account = accountOf(channel?.accounts, accountId) ?? defaultAccount(channel);
  const list = account?.allowFrom ?? account?.dm?.allowFrom ?? channel?.allowFrom ?? channel?.dm?.allowFrom;
  return Array.isArray(list) ? list : [];
}

/** The senders that a channel lets in; `failed` when its plugin could not say. */
function admitted({ plugin, cfg, accountId }, channelId, failedBefore = false) {
  const place = { plugin, cfg, accountId };
  const fallback = (failed) => ({ list: formatted(place, configured(cfg, normalizeOptionalString(channelId ?? plugin?.id), accountId)), failed });
  if (failedBefore) return fallback(true);
  if (!plugin?.config?.resolveAllowFrom) return { list: formatted(place, configured(cfg, normalizeOptionalString(plugin?.id), accountId)), failed: false };
  let told;
  try {
    told = plugin.config.resolveAllowFrom({ cfg, accountId });
  } catch {
    return fallback(true);
  }
  if (told === undefined || told === null) return { list: [], failed: false };
  return Array.isArray(told) ? { list: formatted(place, told), failed: false } : fallback(true);
}

/** The channel of a message, where it says so or only one channel of this worker could have it. */
function channelOf(ctx, cfg) {
  const named = [ctx.Surface, ctx.OriginatingChannel, ctx.Provider].map(normalizeMessageChannel).filter(Boolean);
  const outer = named.find((name) => name !== INTERNAL);
  if (!outer && named.includes(INTERNAL)) return { failed: false };
  if (outer) return { id: anyChannel(outer) ?? outer, failed: false };
  for (const part of [ctx.From, ctx.To].filter((text) => text?.trim()).flatMap((text) => text.split(':'))) {
    const name = normalizeMessageChannel(part.trim());
    if (name === INTERNAL) return { failed: false };
    if (name) return { id: anyChannel(name) ?? name, failed: false };
  }
  const probed = ownChannels().map((plugin) => ({ id: plugin.id, ...admitted({ plugin, cfg, accountId: ctx.AccountId }) }));
  const some = probed.filter(({ list }) => list.length > 0);
  if (some.length === 1) return { id: some[0].id, failed: some[0].failed };
  return { failed: probed.some(({ failed }) => failed) };
}

/** Owners that a list names for this channel. */
function owners(place, channelId, given) {
  const list = given ?? place.cfg.commands?.ownerAllowFrom;
  if (!Array.isArray(list)) return [];
  const kept = [];
  for (const entry of list.map((one) => normalizeOptionalString(String(one ?? ''))).filter(Boolean)) {
    const at = entry.indexOf(':');
    const channel = at > 0 ? anyChannel(entry.slice(0, at)) : undefined;
    if (!channel) kept.push(entry);
    else if (channel === channelId && entry.slice(at + 1).trim()) kept.push(entry.slice(at + 1).trim());
  }
  return formatted(place, kept);
}

const PLACE = /(^|:)(channel|group|thread|topic|room|space|spaces):/;
/** The sender under all its names; `From` stands for it in a direct chat. */
function senders(place, ctx, from) {
  const two = [ctx.SenderId, ctx.SenderE164];
  const order = place.plugin?.commands?.preferSenderE164ForCommands ? two.reverse() : two;
  const found = order.map((one) => normalizeOptionalString(one)).filter(Boolean);
  const text = from.toLowerCase();
  const chat = normalizeOptionalLowercaseString(ctx.ChatType);
  if (found.length === 0 && from && (!chat || chat === 'direct') && !text.startsWith('chat_id:') && !PLACE.test(text)) found.push(from);
  return [...new Set(found.flatMap((one) => entriesOf(place, one)))];
}

/** The list of `commands.allowFrom` for a channel; `null` where there is none. */
function commandList(place, channelId) {
  const lists = place.cfg.commands?.allowFrom;
  if (!lists || typeof lists !== 'object') return null;
  const list = Array.isArray(lists[channelId ?? '']) ? lists[channelId ?? ''] : lists['*'];
  return Array.isArray(list) ? formatted(place, list) : null;
}

/**
 * Whether the sender of a message may give commands, and whether it is an owner.
 * @param {{ctx: any, cfg: any, commandAuthorized: boolean}} params
 * @returns {{providerId?: string, ownerList: string[], senderId?: string, senderIsOwner: boolean, isAuthorizedSender: boolean, from?: string, to?: string}}
 */
export function resolveCommandAuthorization({ ctx, cfg, commandAuthorized }) {
  const { id: providerId, failed } = channelOf(ctx, cfg);
  const place = { plugin: providerId ? ownChannel(providerId) : undefined, cfg, accountId: ctx.AccountId };
  const [from, to] = [ctx.From, ctx.To].map((text) => normalizeOptionalString(text) ?? '');
  const allowed = admitted(place, providerId, failed);
  const named = owners(place, providerId);
  const [everybody, explicit] = [named.some(isWildcard), withoutWildcard(named)];
  const overrides = withoutWildcard(owners(place, providerId, ctx.OwnerAllowFrom));
  const open = !allowed.failed && (allowed.list.length === 0 || allowed.list.some(isWildcard));
  const listed = withoutWildcard(allowed.list);
  const candidates = open ? [] : listed.length > 0 || !to ? listed : entriesOf(place, to);
  const ownerList = [...new Set(explicit.length > 0 ? explicit : everybody ? [] : overrides.length > 0 ? overrides : candidates)];
  const names = senders(place, ctx, from);
  const matched = names.find((name) => ownerList.includes(name));
  const byScope = ctx.Provider !== undefined && normalizeMessageChannel(ctx.Provider) === INTERNAL && Array.isArray(ctx.GatewayClientScopes) && ctx.GatewayClientScopes.includes('operator.admin');
  const senderIsOwner = ctx.ForceSenderIsOwnerFalse ? false : Boolean(matched) || byScope || everybody;
  const enforced = Boolean(place.plugin?.commands?.enforceOwnerForCommands);
  const needed = enforced || everybody || explicit.length > 0;
  const isOwner = !needed || everybody || (explicit.length > 0 ? senderIsOwner : byScope || names.some((name) => candidates.includes(name)));
  const senderId = matched ?? names[0];
  const isAuthorizedSender = (() => {
    if (enforced && !isOwner) return false;
    const list = commandList(place, providerId);
    const set = Boolean(cfg.commands?.allowFrom && typeof cfg.commands.allowFrom === 'object');
    if (list !== null || (failed && set)) return !failed && Boolean(list?.some(isWildcard) || names.some((name) => list?.includes(name)));
    return commandAuthorized && (isOwner || (ctx.CommandSource === 'native' && !needed));
  })();
  return { providerId, ownerList, senderId: senderId || undefined, senderIsOwner, isAuthorizedSender, from: from || undefined, to: to || undefined };
}
