// `api.runtime.config`.
import { snapshot } from '../state.js';
import { ask } from './group.js';

/** The config of the gateway: the running one, and edits of the file. */
export function configGroup(plugin, warned) {
  const write = async (method, { mutate: _mutate, ...params }) => {
    const result = await ask(plugin, method, params);
    if (result?.nextConfig) snapshot.config = result.nextConfig;
    return result;
  };
  const deprecated = (name, replacement) => {
    if (warned.has(name)) return;
    warned.add(name);
    plugin.logger.warn(`\`runtime.config.${name}\` is deprecated (runtime-config-load-write); use \`${replacement}\``);
  };
  return {
    current: () => snapshot.config,
    async mutateConfigFile(params) {
      const base = await ask(plugin, 'host.config.read', { base: params.base ?? 'source' });
      if (params.baseHash !== undefined && params.baseHash !== base.hash) throw configConflict(base.hash);
      const draft = structuredClone(base.config ?? {});
      const result = await params.mutate(draft, { snapshot: base.snapshot ?? base, previousHash: base.hash });
      const done = await write('host.config.mutate', {
        nextConfig: draft, baseHash: base.hash, base: params.base ?? 'source', afterWrite: params.afterWrite ?? { mode: 'auto' },
        writeOptions: params.writeOptions,
      });
      return { ...done, result };
    },
    replaceConfigFile: (params) => write('host.config.replace', { afterWrite: { mode: 'auto' }, ...params }),
    loadConfig() {
      deprecated('loadConfig', 'runtime.config.current()');
      return snapshot.config;
    },
    writeConfigFile(nextConfig, writeOptions) {
      deprecated('writeConfigFile', 'runtime.config.replaceConfigFile()');
      return write('host.config.replace', { nextConfig, writeOptions, afterWrite: { mode: 'auto' } });
    },
  };
}

function configConflict(currentHash) {
  return Object.assign(new Error('config changed since last load'), { name: 'ConfigMutationConflictError', currentHash });
}
