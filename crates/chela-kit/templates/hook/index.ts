import { definePluginEntry } from "openclaw/plugin-sdk/plugin-entry";
import type { OpenClawPluginApi } from "openclaw/plugin-sdk/plugin-entry";

export default definePluginEntry({
  id: "__ID__",
  name: "__TITLE__",
  description: "__ABOUT__",
  register(api: OpenClawPluginApi) {
    const blocked = new Set<unknown>(Array.isArray(api.pluginConfig?.blockedTools) ? api.pluginConfig.blockedTools : []);

    api.on("message_received", (event) => {
      api.logger.info(`a message of ${event.content.length} characters`);
    });

    // The first handler that blocks ends the chain; the reason goes to the model.
    api.on("before_tool_call", (event) => {
      if (!blocked.has(event.toolName)) return;
      return { block: true, blockReason: `\`${event.toolName}\` is switched off by __ID__` };
    });

    api.on("after_tool_call", (event) => {
      api.logger.info(`${event.toolName} took ${event.durationMs ?? 0} ms${event.error ? ` and failed: ${event.error}` : ""}`);
    });
  },
});
