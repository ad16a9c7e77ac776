// The handlers of `HOOK.md` hooks. Loaded in place of a plugin's entry; its config names the modules.
import { pathToFileURL } from 'node:url';
import { importEntry } from './loader.js';

/**
 * Registers every handler at once and imports the modules beside it: one that fails or never ends its import harms no other
 * hook, and an event that comes first waits for the module.
 */
export default function register(api) {
  for (const hook of api.pluginConfig.hooks) {
    const found = find(hook).catch((error) => {
      api.logger.error(`hook "${hook.name}" does not load: ${error?.message ?? error}`);
    });
    const handler = async (event) => {
      const run = await found;
      // That belongs to plugins; what is there is this module's own.
      delete event.context.pluginConfig;
      await run?.(event);
    };
    api.registerHook(hook.events, handler, { name: `hook:${hook.name}`, description: hook.description });
  }
}

async function find(hook) {
  const module = await importEntry(pathToFileURL(hook.file).href, hook.root);
  const handler = hook.export === 'default' ? callable(module.default) : module[hook.export];
  if (typeof handler !== 'function') throw new Error(`its export \`${hook.export}\` is not a function (${hook.file})`);
  return handler;
}

/** The default export, also of a CommonJS module that a compiler made of an ES module. */
function callable(value) {
  return typeof value === 'function' ? value : value?.default;
}
