// Adapter `internalHook`: a handler that may push to `messages` and sees its plugin's configuration.
import { plugins } from '../state.js';

/** Returns `{messages, context?}` as the handler left them. */
export async function run(row, [event]) {
  const { pluginConfig: _, ...given } = event.context ?? {};
  const seen = {
    ...event,
    messages: [...(event.messages ?? [])],
    timestamp: new Date(event.timestamp ?? Date.now()),
    context: { ...given, pluginConfig: plugins.get(row.pluginId)?.pluginConfig ?? {} },
  };
  await row.fn.call(row.self, seen);
  const { pluginConfig: _own, ...context } = seen.context ?? {};
  return { messages: seen.messages, context };
}
