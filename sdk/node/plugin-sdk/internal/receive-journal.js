// A journal of inbound events: each is accepted once, and those that were not finished are there after a restart.

function keyOf(id) {
  const key = id.trim();
  if (!key) throw new Error('the id of an inbound event is empty');
  return key;
}
const present = (members) => Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined));
const repeated = (kind, record) => ({ kind, duplicate: true, record });

/**
 * A journal over two keyed stores: what is under way, and what is done.
 * @param {{pendingStore: any, completedStore: any, pendingTtlMs?: number, completedTtlMs?: number, now?: () => number}} options
 */
export function createDurableInboundReceiveJournal({ pendingStore, completedStore, pendingTtlMs, completedTtlMs, now = Date.now }) {
  const claim = (key, record) => pendingStore.registerIfAbsent(key, record, { ttlMs: pendingTtlMs });
  /** Another worker may have finished the event between the look and the claim. */
  const claimed = async (key, record) => {
    const done = await completedStore.lookup(key);
    if (!done) return { kind: 'accepted', duplicate: false, record };
    await pendingStore.delete(key);
    return repeated('completed', done);
  };
  return {
    async accept(id, payload, options) {
      const key = keyOf(id);
      const receivedAt = options?.receivedAt ?? now();
      const record = present({ id: key, payload, receivedAt, updatedAt: receivedAt, attempts: 0, metadata: options?.metadata });
      for (let tries = 0; tries < 2; tries++) {
        const done = await completedStore.lookup(key);
        if (done) return repeated('completed', done);
        if (await claim(key, record)) return claimed(key, record);
        const pending = await pendingStore.lookup(key);
        if (pending) return repeated('pending', pending);
      }
      return repeated('pending', record);
    },
    async pending() {
      const open = [];
      for (const { key, value } of await pendingStore.entries()) {
        if (await completedStore.lookup(key)) await pendingStore.delete(key);
        else open.push(value);
      }
      return open.sort((a, b) => a.receivedAt - b.receivedAt || a.id.localeCompare(b.id));
    },
    async complete(id, options) {
      const key = keyOf(id);
      await completedStore.register(key, present({ id: key, completedAt: options?.completedAt ?? now(), metadata: options?.metadata }), { ttlMs: completedTtlMs });
      await pendingStore.delete(key);
    },
    async release(id, options) {
      const key = keyOf(id);
      const record = await pendingStore.lookup(key);
      if (!record) return false;
      const at = options?.releasedAt ?? now();
      await pendingStore.register(key, { ...record, updatedAt: at, attempts: record.attempts + 1, lastAttemptAt: at, ...present({ lastError: options?.lastError }) }, { ttlMs: pendingTtlMs });
      return true;
    },
    deletePending: async (id) => pendingStore.delete(keyOf(id)),
  };
}

/**
 * The same over a queue of inbound events, which it prunes as `retention` says.
 * @param {{queue: any, retention?: object}} options
 */
export function createDurableInboundReceiveJournalFromQueue({ queue, retention }) {
  const prune = async (id) => void (retention && (await queue.prune({ ...retention, ...(id === undefined ? {} : { protectIds: [id] }) })));
  /** Runs a step of one event and prunes others. */
  const step = async (id, run) => {
    const key = keyOf(id);
    const result = await run(key);
    await prune(key);
    return result;
  };
  return {
    async accept(id, payload, { metadata, receivedAt } = {}) {
      await prune();
      const { kind, record } = await step(id, (key) => queue.enqueue(key, payload, present({ metadata, receivedAt })));
      if (kind === 'accepted') return { kind, duplicate: false, record };
      if (kind === 'completed') return repeated(kind, record);
      if (kind === 'pending' || kind === 'claimed') return repeated('pending', record);
      return repeated('pending', { id: record.id, payload, receivedAt: record.failedAt, updatedAt: record.failedAt, attempts: 0 });
    },
    async pending() {
      await prune();
      return queue.listPending({ limit: 'all' });
    },
    complete: async (id, { metadata, completedAt } = {}) => void (await step(id, (key) => queue.complete(key, present({ metadata, completedAt })))),
    release: (id, { lastError, releasedAt } = {}) => step(id, (key) => queue.release(key, present({ lastError, releasedAt }))),
    async deletePending(id) {
      const deleted = await queue.delete(keyOf(id));
      await prune();
      return deleted;
    },
  };
}
