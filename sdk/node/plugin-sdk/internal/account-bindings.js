// Conversations of a channel's account that are bound to sessions, kept in memory.
import { normalizeAccountId } from './accounts.js';
import { resolveAgentIdFromSessionKey } from './session-keys.js';
import { registerSessionBindingAdapter, unregisterSessionBindingAdapter } from './session-bindings.js';
import { resolveThreadBindingConversationIdFromBindingId, resolveThreadBindingIdleTimeoutMsForChannel, resolveThreadBindingMaxAgeMsForChannel } from './thread-binding-policy.js';

/** The state stays under the plugin's key: a module that is loaded twice shares it. */
const stateOf = (key) => (globalThis[key] ??= { managersByAccountId: new Map(), bindingsByAccountConversation: new Map() });
const trimmed = (value) => (typeof value === 'string' && value.trim() ? value.trim() : undefined);

/**
 * Binds conversations of one account and answers for them as session binding adapter; the account has one manager until it stops.
 * @param {{cfg: any, channel: string, accountId?: string, stateKey: symbol|string, toStoredTargetKind: (kind: string) => any, toSessionBindingTargetKind: (kind: any) => string}} params
 */
export function createAccountScopedConversationBindingManager({ cfg, channel, accountId: rawAccountId, stateKey, toStoredTargetKind, toSessionBindingTargetKind }) {
  const accountId = normalizeAccountId(rawAccountId);
  const { managersByAccountId, bindingsByAccountConversation: bindings } = stateOf(stateKey);
  const existing = managersByAccountId.get(accountId);
  if (existing) return existing;
  const idleTimeoutMs = resolveThreadBindingIdleTimeoutMsForChannel({ cfg, channel, accountId });
  const maxAgeMs = resolveThreadBindingMaxAgeMsForChannel({ cfg, channel, accountId });
  const keyOf = (conversationId) => `${accountId}:${conversationId}`;
  const own = () => [...bindings.values()].filter((record) => record.accountId === accountId);

  const manager = {
    accountId,
    getByConversationId: (conversationId) => bindings.get(keyOf(conversationId)),
    listBySessionKey: (targetSessionKey) => own().filter((record) => record.targetSessionKey === targetSessionKey),
    bindConversation({ conversationId: rawId, targetKind, targetSessionKey: rawKey, metadata }) {
      const [conversationId, targetSessionKey] = [rawId.trim(), rawKey.trim()];
      if (!conversationId || !targetSessionKey) return null;
      const before = bindings.get(keyOf(conversationId));
      const now = Date.now();
      const record = {
        accountId, conversationId, targetKind: toStoredTargetKind(targetKind), targetSessionKey,
        agentId: trimmed(metadata?.agentId) ?? before?.agentId ?? resolveAgentIdFromSessionKey(targetSessionKey),
        label: trimmed(metadata?.label) ?? before?.label,
        boundBy: trimmed(metadata?.boundBy) ?? before?.boundBy,
        boundAt: now, lastActivityAt: now,
      };
      bindings.set(keyOf(conversationId), record);
      return record;
    },
    touchConversation(conversationId, at = Date.now()) {
      const record = bindings.get(keyOf(conversationId));
      if (!record) return null;
      const touched = { ...record, lastActivityAt: at };
      bindings.set(keyOf(conversationId), touched);
      return touched;
    },
    unbindConversation(conversationId) {
      const record = bindings.get(keyOf(conversationId));
      if (record) bindings.delete(keyOf(conversationId));
      return record ?? null;
    },
    unbindBySessionKey: (targetSessionKey) => manager.listBySessionKey(targetSessionKey).map(({ conversationId }) => manager.unbindConversation(conversationId)),
    stop() {
      for (const { conversationId } of own()) manager.unbindConversation(conversationId);
      managersByAccountId.delete(accountId);
      unregisterSessionBindingAdapter({ channel, accountId, adapter });
    },
  };

  const shown = (record) => {
    const ends = [idleTimeoutMs > 0 ? record.lastActivityAt + idleTimeoutMs : Infinity, maxAgeMs > 0 ? record.boundAt + maxAgeMs : Infinity];
    const expiresAt = Math.min(...ends);
    const { conversationId, targetSessionKey, boundAt, agentId, label, boundBy, lastActivityAt } = record;
    return {
      bindingId: keyOf(conversationId), targetSessionKey, targetKind: toSessionBindingTargetKind(record.targetKind), conversation: { channel, accountId, conversationId },
      status: 'active', boundAt, expiresAt: expiresAt === Infinity ? undefined : expiresAt, metadata: { agentId, label, boundBy, lastActivityAt, idleTimeoutMs, maxAgeMs },
    };
  };
  const orNull = (record) => (record ? shown(record) : null);
  const idOf = (bindingId) => resolveThreadBindingConversationIdFromBindingId({ accountId, bindingId });
  const adapter = {
    channel,
    accountId,
    capabilities: { placements: ['current'] },
    async bind({ conversation, placement, targetKind, targetSessionKey, metadata }) {
      if (conversation.channel !== channel || placement === 'child') return null;
      return orNull(manager.bindConversation({ conversationId: conversation.conversationId, targetKind, targetSessionKey, metadata }));
    },
    listBySession: (targetSessionKey) => manager.listBySessionKey(targetSessionKey).map(shown),
    resolveByConversation: (ref) => (ref.channel === channel ? orNull(manager.getByConversationId(ref.conversationId)) : null),
    touch(bindingId, at) {
      const conversationId = idOf(bindingId);
      if (conversationId) manager.touchConversation(conversationId, at);
    },
    async unbind({ targetSessionKey, bindingId }) {
      const key = targetSessionKey?.trim();
      if (key) return manager.unbindBySessionKey(key).map(shown);
      const conversationId = idOf(bindingId);
      const removed = conversationId && manager.unbindConversation(conversationId);
      return removed ? [shown(removed)] : [];
    },
  };
  registerSessionBindingAdapter(adapter);
  managersByAccountId.set(accountId, manager);
  return manager;
}

/** Stops the managers of a plugin and forgets their bindings. @param {{stateKey: symbol|string}} params @returns {void} */
export function resetAccountScopedConversationBindingsForTests({ stateKey }) {
  const state = stateOf(stateKey);
  for (const manager of [...state.managersByAccountId.values()]) manager.stop();
  state.managersByAccountId.clear();
  state.bindingsByAccountConversation.clear();
}
