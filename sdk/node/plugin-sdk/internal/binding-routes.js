// Routes of conversations that are bound to sessions.
import { getSessionBindingService, isPluginOwnedSessionBindingRecord } from './session-bindings.js';
import { deriveLastRoutePolicy, parseAgentSessionKey, resolveAgentIdFromSessionKey } from './session-keys.js';
import { normalizeLowercaseStringOrEmpty } from './strings.js';

const refOf = (params) => {
  const { channel, accountId, conversationId, parentConversationId } = params;
  return params.conversation ?? { channel, accountId, conversationId, parentConversationId };
};
/** A run of a scheduled task has a session of its own, which takes no messages. */
const isCronRun = (key) => /^cron:[^:]+:run:[^:]+/.test(parseAgentSessionKey(key)?.rest ?? '');

function routed(route, key) {
  const boundAgentId = resolveAgentIdFromSessionKey(key) || route.agentId;
  const lastRoutePolicy = deriveLastRoutePolicy({ sessionKey: key, mainSessionKey: route.mainSessionKey });
  return { boundSessionKey: key, boundAgentId, route: { ...route, sessionKey: key, agentId: boundAgentId, lastRoutePolicy, matchedBy: 'binding.channel' } };
}

/** The route of a conversation, to the session that it is bound to if it is. @param {any} params @returns {any} */
export function resolveRuntimeConversationBindingRoute({ route, ...params }) {
  const service = getSessionBindingService();
  const bindingRecord = service.resolveByConversation(refOf(params));
  const key = bindingRecord?.targetSessionKey?.trim();
  if (!key || isCronRun(key)) return { bindingRecord: null, route };
  service.touch(bindingRecord.bindingId);
  return isPluginOwnedSessionBindingRecord(bindingRecord) ? { bindingRecord, route } : { bindingRecord, ...routed(route, key) };
}

/** Bindings that start an agent of another program. */
const isForeign = ({ channel }) => (binding) => binding?.type === 'acp' && normalizeLowercaseStringOrEmpty(binding.match?.channel) === normalizeLowercaseStringOrEmpty(channel);

/** The route of a conversation that the configuration binds: there are only bindings to agents here, which the route knows. @param {any} params @returns {any} */
export function resolveConfiguredBindingRoute({ cfg, route, ...params }) {
  const bindings = Array.isArray(cfg.bindings) ? cfg.bindings : [];
  if (!bindings.some(isForeign(refOf(params)))) return { bindingResolution: null, route };
  throw Object.assign(new Error(`resolveConfiguredBindingRoute: bindings of the type \`acp\`, as \`${refOf(params).channel}\` has one, are not built`), { code: 'NOT_BUILT' });
}

/** Whether a bound session can take messages; one that is not bound can. @param {any} params @returns {Promise<{ok: boolean, error?: string}>} */
export const ensureConfiguredBindingRouteReady = async ({ bindingResolution }) => (bindingResolution ? { ok: false, error: 'bindings of the type `acp` are not built' } : { ok: true });
