// The `call` method: runs one function of this worker, through an adapter where the handler expects more than data.
import { run as internalHook } from './adapters/internalHook.js';
import { peer } from './state.js';

const ADAPTERS = new Set(['tool', 'toolFactory', 'gatewayMethod', 'httpRoute', 'httpUpgrade', 'service', 'command', 'cli', 'internalHook', 'provider', 'realtime', 'channel', 'env']);

/** Serves `call`. */
export async function call({ fn, args = [], adapter, timeoutMs }, context) {
  const row = peer.exports.get(fn);
  if (!row) throw Object.assign(new Error(`handle ${fn} is gone`), { code: 'NOT_FOUND' });
  context.signal.throwIfAborted();
  const running = adapter ? adapt(adapter, row, args, context) : row.fn.apply(row.self, args);
  const value = timeoutMs > 0 ? await limited(running, timeoutMs) : await running;
  peer.exports.pluginId = row.pluginId;
  try {
    return peer.encode(value);
  } finally {
    peer.exports.pluginId = undefined;
  }
}

async function adapt(adapter, row, args, context) {
  if (!ADAPTERS.has(adapter)) throw Object.assign(new Error(`unknown adapter \`${adapter}\``), { code: 'NOT_FOUND' });
  // Nothing may overtake an event: a typed hook that is sent after it is heard after it.
  if (adapter === 'internalHook') return internalHook(row, args, context);
  const module = await import(`./adapters/${adapter}.js`);
  return module.run(row, args, context);
}

function limited(running, timeoutMs) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      reject(Object.assign(new Error(`timed out after ${timeoutMs}ms`), { name: 'TimeoutError', code: 'TIMEOUT' }));
    }, timeoutMs);
    Promise.resolve(running).then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
