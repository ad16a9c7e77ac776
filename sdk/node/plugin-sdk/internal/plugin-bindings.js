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
