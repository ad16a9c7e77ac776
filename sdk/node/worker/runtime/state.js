// `api.runtime.state`.
import { snapshot } from '../state.js';
import { ask, askSync } from './group.js';

/** The durable store of a plugin. */
export function stateGroup(plugin) {
  return {
    resolveStateDir: () => snapshot.stateDir,
    openKeyedStore(options) {
      askSync(plugin, 'host.state.openKeyedStore', options);
      const namespace = String(options.namespace).trim();
      const run = (name, params) => ask(plugin, `host.state.${name}`, { namespace, ...params });
      return {
        register: async (key, value, entry) => void (await run('register', { key, value, ...entry })),
        registerIfAbsent: (key, value, entry) => run('registerIfAbsent', { key, value, ...entry }),
        lookup: async (key) => (await run('lookup', { key })) ?? undefined,
        consume: async (key) => (await run('consume', { key })) ?? undefined,
        delete: (key) => run('delete', { key }),
        entries: () => run('entries', {}),
        clear: async () => void (await run('clear', {})),
      };
    },
  };
}
