// Objects that parts of a channel plugin share, by channel, account and capability.

const rows = new Map();
const watchers = new Set();
const text = (value) => (typeof value === 'string' ? value.trim() : '');
const keyOf = ({ channelId, accountId, capability }) => ({ channelId: text(channelId), accountId: text(accountId) || undefined, capability: text(capability) });
const idOf = (key) => JSON.stringify([key.channelId, key.accountId ?? '', key.capability]);

function tell(type, key, context) {
  for (const { filters, onEvent } of [...watchers]) {
    if (['channelId', 'accountId', 'capability'].some((name) => text(filters[name]) && text(filters[name]) !== key[name])) continue;
    onEvent({ type, key, ...(type === 'registered' ? { context } : {}) });
  }
}

/** Registers an object until it is disposed of or the signal fires. */
export function register({ context, abortSignal, ...given }) {
  const key = keyOf(given);
  if (!key.channelId || !key.capability || abortSignal?.aborted) return { dispose() {} };
  const row = { context };
  rows.set(idOf(key), row);
  tell('registered', key, context);
  const dispose = () => {
    abortSignal?.removeEventListener('abort', dispose);
    if (rows.get(idOf(key)) !== row) return;
    rows.delete(idOf(key));
    tell('unregistered', key);
  };
  abortSignal?.addEventListener('abort', dispose, { once: true });
  return { dispose };
}

/** The object under a key. */
export const get = (given) => rows.get(idOf(keyOf(given)))?.context;

/** Hears of objects that come and go. */
export function watch({ onEvent, ...filters }) {
  const row = { filters, onEvent };
  watchers.add(row);
  return () => void watchers.delete(row);
}
