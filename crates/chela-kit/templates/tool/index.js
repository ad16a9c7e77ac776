import { definePluginEntry } from "openclaw/plugin-sdk/plugin-entry";

export default definePluginEntry({
  id: "__ID__",
  name: "__TITLE__",
  description: "__ABOUT__",
  /** @param {import("openclaw/plugin-sdk/plugin-entry").OpenClawPluginApi} api */
  register(api) {
    const greeting = String(api.pluginConfig?.greeting ?? "Hello");

    api.registerTool({
      name: "__SNAKE___greet",
      label: "Greet",
      description: "Greets somebody by name.",
      parameters: {
        type: "object",
        additionalProperties: false,
        properties: { name: { type: "string", description: "Whom to greet" } },
        required: ["name"],
      },
      // What an error says goes to the model, which can then do better.
      async execute(_toolCallId, params) {
        if (typeof params.name !== "string") throw new Error("`name` must be a text");
        const text = `${greeting}, ${params.name}!`;
        return { content: [{ type: "text", text }], details: { name: params.name } };
      },
    });
  },
});
