import { definePluginEntry } from "openclaw/plugin-sdk/plugin-entry";
import { createProviderApiKeyAuthMethod } from "openclaw/plugin-sdk/provider-auth";
import type { OpenClawPluginApi } from "openclaw/plugin-sdk/plugin-entry";

const PROVIDER = "__ID__";

export default definePluginEntry({
  id: "__ID__",
  name: "__TITLE__",
  description: "__ABOUT__",
  register(api: OpenClawPluginApi) {
    const baseUrl = String(api.pluginConfig?.baseUrl ?? "http://127.0.0.1:8000/v1");

    api.registerProvider({
      id: PROVIDER,
      label: "__TITLE__",
      envVars: ["__ENV___API_KEY"],
      auth: [
        createProviderApiKeyAuthMethod({
          providerId: PROVIDER,
          methodId: "api-key",
          label: "__TITLE__ API key",
          optionKey: "__CAMEL__ApiKey",
          flagName: "--__ID__-api-key",
          envVar: "__ENV___API_KEY",
          promptMessage: "API key of __TITLE__",
          defaultModel: `${PROVIDER}/example`,
        }),
      ],
      catalog: {
        order: "simple",
        // Without a key there is nothing to offer.
        async run(ctx: { resolveProviderApiKey(provider: string): { apiKey?: string } }) {
          const { apiKey } = ctx.resolveProviderApiKey(PROVIDER);
          if (!apiKey) return null;
          return {
            provider: {
              baseUrl,
              apiKey,
              api: "openai-completions",
              models: [
                {
                  id: "example",
                  name: "Example",
                  reasoning: false,
                  input: ["text"],
                  cost: { input: 0, output: 0, cacheRead: 0, cacheWrite: 0 },
                  contextWindow: 128000,
                  maxTokens: 8192,
                },
              ],
            },
          };
        },
      },
    });
  },
});
