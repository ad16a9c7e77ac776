// Conversations that are bound to sessions, through the adapters that channels of this worker register.
import { normalizeAccountId } from './accounts.js';
import { normalizeLowercaseStringOrEmpty, normalizeOptionalString } from './strings.js';

/** A binding cannot be made, with a code that callers know. */
export class SessionBindingError extends Error {
  constructor(code, message, details) {
    super(message);
    this.name = 'SessionBindingError';
    this.code = code;
    this.details = details;
  }
}
/** @param {unknown} error @returns {boolean} */
export const isSessionBindingError = (error) => error instanceof SessionBindingError;

const adapters = new Map();
const placeOf = ({ channel, accountId }) => ({ channel: normalizeLowercaseStringOrEmpty(channel), accountId: normalizeAccountId(accountId) });
const keyOf = (place) => JSON.stringify(Object.values(placeOf(place)));
const refOf = (ref) => {
  const parent = normalizeOptionalString(ref.parentConversationId);
  const { parentConversationId: _raw, ...rest } = ref;
  return { ...rest, ...placeOf(ref), conversationId: String(ref.conversationId ?? '').trim(), ...(parent ? { parentConversationId: parent } : {}) };
};
const adapterOf = (place) => adapters.get(keyOf(place))?.at(-1);
const active = () => [...adapters.values()].map((list) => list.at(-1));

/** Registers how a channel's account binds conversations; the last one counts. @param {any} adapter @returns {void} */
export function registerSessionBindingAdapter(adapter) {
  const key = keyOf(adapter);
  adapters.set(key, [...(adapters.get(key) ?? []), adapter]);
}
/** Takes an adapter back, or the last one. @param {{channel: string, accountId?: string, adapter?: any}} params @returns {void} */
export function unregisterSessionBindingAdapter({ adapter, ...place }) {
  const list = adapters.get(keyOf(place)) ?? [];
  const index = adapter ? list.lastIndexOf(adapter) : list.length - 1;
  if (index < 0) return;
  const rest = list.toSpliced(index, 1);
  if (rest.length > 0) adapters.set(keyOf(place), rest);
  else adapters.delete(keyOf(place));
}

const NONE = { adapterAvailable: false, bindSupported: false, unbindSupported: false, placements: [] };
const PLACEMENTS = ['current', 'child'];
function placementsOf({ capabilities }) {
  const own = [...new Set((capabilities?.placements ?? []).filter((placement) => PLACEMENTS.includes(placement)))];
  return own.length > 0 ? own : [...PLACEMENTS];
}
function capabilitiesOf(adapter) {
  if (!adapter) return { ...NONE, placements: [] };
  const bindSupported = adapter.capabilities?.bindSupported ?? Boolean(adapter.bind);
  return { adapterAvailable: true, bindSupported, unbindSupported: adapter.capabilities?.unbindSupported ?? Boolean(adapter.unbind), placements: bindSupported ? placementsOf(adapter) : [] };
}
const distinct = (records) => [...new Map(records.map((record) => [record.bindingId, record])).values()];

async function bind(input) {
  const conversation = refOf(input.conversation);
  const { channel, accountId } = conversation;
  const adapter = adapterOf(conversation);
  const refuse = (code, message, more) => new SessionBindingError(code, `${message} for ${channel}:${accountId}`, { channel, accountId, ...more });
  if (!adapter) throw refuse('BINDING_ADAPTER_UNAVAILABLE', 'no session binding adapter is registered');
  if (!adapter.bind) throw refuse('BINDING_CAPABILITY_UNSUPPORTED', 'the session binding adapter does not bind');
  const placement = PLACEMENTS.includes(input.placement) ? input.placement : conversation.conversationId ? 'current' : 'child';
  if (!placementsOf(adapter).includes(placement)) throw refuse('BINDING_CAPABILITY_UNSUPPORTED', `the placement "${placement}" is not supported`, { placement });
  const bound = await adapter.bind({ ...input, conversation, placement });
  if (!bound) throw refuse('BINDING_CREATE_FAILED', 'the session binding adapter did not bind the conversation', { placement });
  return bound;
}

const service = {
  bind,
  getCapabilities: (place) => capabilitiesOf(adapterOf(place)),
  listBySession(targetSessionKey) {
    const key = targetSessionKey.trim();
    return key ? distinct(active().flatMap((adapter) => adapter.listBySession(key))) : [];
  },
  resolveByConversation(ref) {
    const conversation = refOf(ref);
    return conversation.channel && conversation.conversationId ? (adapterOf(conversation)?.resolveByConversation(conversation) ?? null) : null;
  },
  touch(bindingId, at) {
    const id = bindingId.trim();
    if (id) for (const adapter of active()) adapter.touch?.(id, at);
  },
  async unbind(input) {
    const removed = [];
    for (const adapter of active()) removed.push(...((await adapter.unbind?.(input)) ?? []));
    return distinct(removed);
  },
};
/** Binds, finds and ends bindings of the channels in this worker. @returns {typeof service} */
export const getSessionBindingService = () => service;
/** @param {any} input @returns {Promise<any>} */
export const createConversationBindingRecord = async (input) => service.bind(input);
/** @param {any} place @returns {any} */
export const getConversationBindingCapabilities = (place) => service.getCapabilities(place);
/** @param {string} targetSessionKey @returns {any[]} */
export const listSessionBindingRecords = (targetSessionKey) => service.listBySession(targetSessionKey);
/** @param {any} ref @returns {any} */
export const resolveConversationBindingRecord = (ref) => service.resolveByConversation(ref);
/** @param {string} bindingId @param {number} [at] @returns {void} */
export const touchConversationBindingRecord = (bindingId, at) => service.touch(bindingId, at);
/** @param {any} input @returns {Promise<any[]>} */
export const unbindConversationBindingRecord = async (input) => service.unbind(input);

/** Whether a binding belongs to a plugin rather than to a session. @param {any} metadata @returns {boolean} */
export const isPluginOwnedBindingMetadata = (metadata) => metadata?.pluginBindingOwner === 'plugin' && typeof metadata.pluginId === 'string' && typeof metadata.pluginRoot === 'string';
/** @param {any} record @returns {boolean} */
export const isPluginOwnedSessionBindingRecord = (record) => isPluginOwnedBindingMetadata(record?.metadata);
/** A plugin's binding as the plugin sees it. @param {any} record @returns {any} */
export function toPluginConversationBinding(record) {
  if (!isPluginOwnedSessionBindingRecord(record)) return null;
  const { bindingId, conversation, boundAt, metadata } = record;
  const { pluginId, pluginName, pluginRoot, summary, detachHint, data } = metadata;
  const { channel, accountId, conversationId, parentConversationId } = conversation;
  return { bindingId, pluginId, pluginName, pluginRoot, channel, accountId, conversationId, parentConversationId, boundAt, summary, detachHint, data };
}

const DECISIONS = { o: 'allow-once', a: 'allow-always', d: 'deny' };
/** The id of a button that decides on a plugin's binding. @param {string} approvalId @param {string} decision @returns {string} */
export function buildPluginBindingApprovalCustomId(approvalId, decision) {
  const code = Object.keys(DECISIONS).find((letter) => DECISIONS[letter] === decision) ?? 'd';
  return `pluginbind:${encodeURIComponent(approvalId)}:${code}`;
}
function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
/** Reads such an id. @param {string} value @returns {{approvalId: string, decision: string}|null} */
export function parsePluginBindingApprovalCustomId(value) {
  const [, id, code] = /^pluginbind:([\s\S]+):([^:]+)$/.exec(value.trim()) ?? [];
  const decision = DECISIONS[code?.trim()];
  if (!id?.trim() || !decision) return null;
  return { approvalId: decoded(id.trim()), decision };
}

const nameOf = ({ pluginName, pluginId }) => pluginName ?? pluginId;
/** What the user is told of the decision. @param {any} params @returns {string} */
export function buildPluginBindingResolvedText({ status, decision, request }) {
  if (status === 'expired') return 'The request to bind this conversation is too old. Give the bind command again.';
  if (status === 'denied') return `${nameOf(request)} may not bind this conversation.`;
  const summary = request.summary?.trim() ? ` ${request.summary.trim()}` : '';
  return `${nameOf(request)} may bind this conversation${decision === 'allow-always' ? '' : ' this once'}.${summary}`;
}
const detach = ({ detachHint }) => (detachHint?.trim() ? ` To end that: ${detachHint.trim()}` : '');
/** @param {any} binding @returns {string} */
export const buildPluginBindingDeclinedText = (binding) => `This conversation belongs to the plugin ${nameOf(binding)}, which left this message alone.${detach(binding)}`;
/** @param {any} binding @returns {string} */
export const buildPluginBindingErrorText = (binding) => `This conversation belongs to the plugin ${nameOf(binding)}, which failed on this message.${detach(binding)}`;
/** @param {any} binding @returns {string} */
export const buildPluginBindingUnavailableText = (binding) => `This conversation belongs to the plugin ${nameOf(binding)}, which is not loaded. The agent answers instead. Enable or install the plugin again.${detach(binding)}`;
