// Answering approval requests with reactions.

/** The decisions with their reactions, in the order in which they are shown. */
export const APPROVAL_REACTION_BINDINGS = [
  { decision: 'allow-once', emoji: '👍', label: 'Allow Once' },
  { decision: 'allow-always', emoji: '♾️', label: 'Allow Always' },
  { decision: 'deny', emoji: '👎', label: 'Deny' },
];

/** The reactions that a request allows. @param {{allowedDecisions: Iterable<string>}} params @returns {{decision: string, emoji: string, label: string}[]} */
export function listApprovalReactionBindings({ allowedDecisions }) {
  const allowed = new Set(allowedDecisions);
  return APPROVAL_REACTION_BINDINGS.filter(({ decision }) => allowed.has(decision)).map((binding) => ({ ...binding }));
}

/** What the user is told to react with; `null` when nothing is allowed. @param {{allowedDecisions: Iterable<string>}} params @returns {string|null} */
export function buildApprovalReactionHint(params) {
  const bindings = listApprovalReactionBindings(params);
  return bindings.length > 0 ? `React with:\n\n${bindings.map(({ emoji, label }) => `${emoji} ${label}`).join('\n')}` : null;
}

/** A reaction without skin tone and presentation variant. @param {string} reactionKey @returns {string} */
export function normalizeApprovalReactionEmoji(reactionKey) {
  const bare = reactionKey.trim().replace(/[\uFE0E\uFE0F]/gu, '').replace(/[\u{1F3FB}-\u{1F3FF}]/gu, '');
  return bare === '♾' ? '♾️' : bare;
}

/** The decision that a reaction stands for. @param {{reactionKey: string, allowedDecisions: Iterable<string>}} params @returns {{decision: string, normalizedEmoji: string}|null} */
export function resolveApprovalReactionDecision({ reactionKey, allowedDecisions }) {
  const normalizedEmoji = normalizeApprovalReactionEmoji(reactionKey);
  const found = listApprovalReactionBindings({ allowedDecisions }).find(({ emoji }) => emoji === normalizedEmoji);
  return found ? { decision: found.decision, normalizedEmoji } : null;
}

/** The request that a reaction answers, with the decision. @param {{target: any, reactionKey: string}} params @returns {any} */
export function resolveApprovalReactionTarget({ target, reactionKey }) {
  const approvalId = target?.approvalId.trim();
  const decision = approvalId && resolveApprovalReactionDecision({ reactionKey, allowedDecisions: target.allowedDecisions });
  if (!decision) return null;
  const approvalKind = target.approvalKind ?? (approvalId.startsWith('plugin:') ? 'plugin' : 'exec');
  return { approvalId, approvalKind, ...decision, ...(target.route === undefined ? {} : { route: target.route }) };
}

const VERSION = 1;

/**
 * Which message asks for which approval: in memory, and in a keyed store when one can be opened. A store that fails is not asked again.
 * @param {{namespace: string, maxEntries: number, defaultTtlMs: number, openStore?: Function, logPersistentError?: Function, readPersistedTarget?: Function, nowMs?: () => number}} params
 */
export function createApprovalReactionTargetStore({ namespace, maxEntries, defaultTtlMs, openStore, logPersistentError, readPersistedTarget = (target) => target, nowMs = Date.now }) {
  const memory = new Map();
  let [store, broken] = [undefined, !openStore];
  const giveUp = (error) => {
    [store, broken] = [undefined, true];
    logPersistentError?.(error);
  };
  /** Runs on the store when there is one; a failure ends its use. */
  const persist = async (work) => {
    if (broken) return undefined;
    try {
      store ??= openStore({ namespace, maxEntries, defaultTtlMs });
      return await work(store);
    } catch (error) {
      giveUp(error);
      return undefined;
    }
  };
  const prune = () => {
    const now = nowMs();
    for (const [key, { until }] of memory) if (until <= now) memory.delete(key);
    for (const key of memory.keys()) {
      if (memory.size <= maxEntries) break;
      memory.delete(key);
    }
  };
  return {
    register(rawKey, target, options) {
      const key = rawKey.trim();
      if (!key) return;
      const ttlMs = Math.max(1, options?.ttlMs ?? defaultTtlMs);
      memory.set(key, { target, until: nowMs() + ttlMs });
      prune();
      void persist((open) => open.register(key, { version: VERSION, target }, { ttlMs }));
    },
    async lookup(rawKey) {
      const key = rawKey.trim();
      if (!key) return null;
      prune();
      const known = memory.get(key);
      if (known) return known.target;
      const kept = await persist((open) => open.lookup(key));
      return kept?.version === VERSION ? readPersistedTarget(kept.target) : null;
    },
    delete(rawKey) {
      const key = rawKey.trim();
      if (!key) return;
      memory.delete(key);
      void persist((open) => open.delete(key));
    },
    clearForTest() {
      memory.clear();
      [store, broken] = [undefined, !openStore];
    },
  };
}
