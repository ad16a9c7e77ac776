// Adapter `internalHook`: a handler that may push to `messages` and sees its plugin's configuration.
import { plugins, snapshot } from '../state.js';

/** Events whose context holds the configuration, which the worker has already. */
const WITH_CFG = new Set([
  'command:new', 'command:reset', 'command:stop', 'session:patch', 'agent:bootstrap', 'gateway:startup', 'message:transcribed',
  'message:preprocessed',
]);

/** Returns `{messages, context?}` as the handler left them. */
export async function run(row, [event], request) {
  const { pluginConfig: _, ...given } = event.context ?? {};
  if (WITH_CFG.has(`${event.type}:${event.action}`)) given.cfg ??= snapshot.config;
  const seen = {
    ...event,
    messages: [...(event.messages ?? [])],
    timestamp: new Date(event.timestamp ?? Date.now()),
    context: { ...given, pluginConfig: plugins.get(row.pluginId)?.pluginConfig ?? {} },
  };
  // Fires when the handler's time is up, or nobody waits for it any more.
  Object.defineProperty(seen, 'signal', { get: () => request?.signal, enumerable: false, configurable: true });
  await row.fn.call(row.self, seen);
  const { pluginConfig: _own, cfg: _cfg, ...context } = seen.context ?? {};
  return { messages: seen.messages, context };
}
