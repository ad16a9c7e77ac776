// Describes what went wrong outside of any call, and finds the plugin it belongs to.
import { plugins } from './state.js';

/** The `fault` note of an uncaught exception or an unhandled rejection. */
export function describeFault(kind, reason) {
  const stack = typeof reason?.stack === 'string' ? reason.stack : undefined;
  const fault = { kind, message: String(reason?.message ?? reason), stack, name: reason?.name, code: reason?.code };
  const pluginId = blame(stack);
  if (pluginId !== undefined) fault.pluginId = pluginId;
  return JSON.parse(JSON.stringify(fault));
}

function blame(stack) {
  for (const plugin of plugins.values()) if (stack && plugin.rootDir && stack.includes(plugin.rootDir)) return plugin.id;
  return plugins.size === 1 ? plugins.keys().next().value : undefined;
}
