// Buttons that plugins handle, and conversations that they bind: the host knows the handlers, keeps the bindings and decides who asks.
import { normalizeOptionalString } from './strings.js';
import { peer, plugins } from '../../worker/state.js';

const pluginId = () => (plugins.size === 1 ? plugins.keys().next().value : undefined);
function ask(method, params) {
  if (!peer) throw Object.assign(new Error('this function needs the gateway and works only inside a plugin worker'), { code: 'NOT_BUILT' });
  return peer.request(method, { pluginId: pluginId(), ...params });
}

/** Answers a request to bind a conversation. */
export const resolvePluginConversationBindingApproval = ({ approvalId, decision, senderId }) => ask('host.binding.decide', { approvalId, decision, senderId });

/** The binding helpers in the context of an interactive handler. */
export function createInteractiveConversationBindingHelpers({ registration, senderId, conversation }) {
  const params = { ...conversation, senderId, owner: { pluginId: registration.pluginId } };
  return {
    requestConversationBinding: (binding) => ask('host.binding.request', { ...params, binding: binding ?? {} }),
    detachConversationBinding: () => ask('host.binding.detach', params),
    getCurrentConversationBinding: () => ask('host.binding.current', params),
  };
}

/** Hands callback data to whoever registered its namespace; `invoke` builds the context and calls `match.registration.handler`. */
export async function dispatchPluginInteractiveHandler({ channel, data, dedupeId, onMatched, invoke }) {
  const found = await ask('host.interactive.begin', { channel, data, dedupeId });
  if (!found.matched) return { matched: false, handled: false, duplicate: false };
  if (found.duplicate) return { matched: true, handled: true, duplicate: true };
  const { namespace, payload } = found;
  const handler = (ctx) => ask('host.interactive.invoke', { channel, namespace, ctx });
  try {
    await onMatched?.();
    const result = await invoke({ registration: { ...found.registration, handler }, namespace, payload });
    return { matched: true, handled: result?.handled ?? true, duplicate: false };
  } catch (error) {
    // The platform may offer it again.
    if (normalizeOptionalString(dedupeId)) await ask('host.interactive.release', { dedupeId: dedupeId.trim() });
    throw error;
  }
}

const flat = ({ conversation, ...rest }) => ({ ...conversation, ...rest });
/** Asks to bind a conversation to the plugin; the gateway asks people. @param {any} params `pluginId`, `conversation`, `requestedBySenderId`, `binding` @returns {Promise<any>} */
export const requestPluginConversationBinding = ({ pluginId: owner, conversation, requestedBySenderId, binding }) =>
  ask('host.binding.request', { ...flat({ conversation }), senderId: requestedBySenderId, owner: { pluginId: owner }, binding: binding ?? {} });
/** Ends the binding of a conversation. @param {any} params `pluginId`, `conversation` @returns {Promise<{removed: boolean}>} */
export const detachPluginConversationBinding = ({ pluginId: owner, conversation }) => ask('host.binding.detach', { ...flat({ conversation }), owner: { pluginId: owner } });
/** The binding of a conversation to the plugin. @param {any} params `pluginId`, `conversation` @returns {Promise<any>} `null` for none */
export const getCurrentPluginConversationBinding = ({ pluginId: owner, conversation }) => ask('host.binding.current', { ...flat({ conversation }), owner: { pluginId: owner } });

const noticed = new Set();
/** Whether people were told that the plugin of a binding does not answer. @param {string} bindingId @returns {boolean} */
export const hasShownPluginBindingFallbackNotice = (bindingId) => noticed.has(bindingId.trim());
/** Notes that they were told. @param {string} bindingId */
export const markPluginBindingFallbackNoticeShown = (bindingId) => void (bindingId.trim() && noticed.add(bindingId.trim()));
