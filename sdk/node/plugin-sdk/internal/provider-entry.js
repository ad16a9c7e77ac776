// Helpers for plugins that bring one text provider with an API key.
import { definePluginEntry } from './entry.js';

const text = (value) => (typeof value === 'string' ? value.trim() : '');

/** An auth method that takes an API key from an option, the environment or a prompt. */
export function createProviderApiKeyAuthMethod(params) {
  return {
    id: params.methodId,
    label: params.label,
    hint: params.hint,
    kind: 'api_key',
    wizard: params.wizard,
    async run(ctx) {
      const given = text(ctx.opts?.[params.optionKey]) || text(ctx.opts?.token) || text(ctx.env?.[params.envVar]);
      const key = given || text(await ctx.prompter?.text?.({ message: params.promptMessage }));
      if (!key) throw new Error(`no API key was given for the provider \`${params.providerId}\`; set \`${params.envVar}\` or use \`${params.flagName}\``);
      const ids = params.profileIds ?? [params.profileId ?? `${params.providerId}:default`];
      return {
        profiles: ids.map((profileId) => ({ profileId, credential: credentialOf(params, profileId, key) })),
        ...(params.applyConfig ? { configPatch: params.applyConfig(ctx.config) } : {}),
        ...(params.defaultModel ? { defaultModel: params.defaultModel } : {}),
      };
    },
    runNonInteractive() {
      throw Object.assign(
        new Error(`createProviderApiKeyAuthMethod: setting up \`${params.providerId}\` without questions is not built; set \`${params.envVar}\` or \`models.providers.${params.providerId}.apiKey\``),
        { code: 'NOT_BUILT' },
      );
    },
  };
}

function credentialOf(params, profileId, key) {
  const provider = text(profileId.split(':', 1)[0]) || params.providerId;
  return { type: 'api_key', provider, key, ...(params.metadata ? { metadata: params.metadata } : {}) };
}

/** The catalogue of a provider that needs one key; it says nothing without the key. */
export async function buildSingleProviderApiKeyCatalog({ ctx, providerId, buildProvider, allowExplicitBaseUrl }) {
  const { apiKey } = ctx.resolveProviderApiKey(providerId);
  if (!apiKey) return null;
  const built = await buildProvider();
  const own = allowExplicitBaseUrl ? text(ctx.config?.models?.providers?.[providerId]?.baseUrl) : '';
  return { provider: { ...built, ...(own ? { baseUrl: own } : {}), apiKey } };
}

/** The entry of a plugin with one text provider. */
export function defineSingleProviderPluginEntry(options) {
  const { id, name, description, kind, configSchema, provider, register } = options;
  return definePluginEntry({
    id, name, description, kind, configSchema,
    register(api) {
      if (provider) api.registerProvider(providerOf(provider, id));
      return register?.(api);
    },
  });
}

function providerOf({ id, label, envVars = [], auth = [], catalog, ...rest }, pluginId) {
  const providerId = id ?? pluginId;
  const names = [...new Set([...envVars, ...auth.map((method) => method.envVar)].map(text).filter(Boolean))];
  return {
    ...rest,
    id: providerId,
    label,
    ...(names.length ? { envVars: names } : {}),
    auth: auth.map((method) => createProviderApiKeyAuthMethod({ ...method, providerId, wizard: wizardOf(method, providerId, label) })),
    ...catalogsOf(catalog, providerId),
  };
}

function wizardOf(method, providerId, label) {
  if (method.wizard === false) return undefined;
  return {
    choiceId: `${providerId}-${method.methodId}`,
    choiceLabel: method.label,
    ...(method.hint ? { choiceHint: method.hint } : {}),
    groupId: providerId,
    groupLabel: label,
    ...(method.hint ? { groupHint: method.hint } : {}),
    methodId: method.methodId,
    ...(typeof method.wizard === 'object' ? method.wizard : {}),
  };
}

function catalogsOf(catalog, providerId) {
  const order = catalog.order ?? 'simple';
  if (typeof catalog.run === 'function') {
    return { catalog: { order, run: catalog.run }, ...(catalog.staticRun ? { staticCatalog: { order, run: catalog.staticRun } } : {}) };
  }
  const { buildProvider, buildStaticProvider, allowExplicitBaseUrl } = catalog;
  const run = (ctx) => buildSingleProviderApiKeyCatalog({ ctx, providerId, buildProvider, allowExplicitBaseUrl });
  const still = buildStaticProvider && { order, run: async () => ({ provider: await buildStaticProvider() }) };
  return { catalog: { order, run }, ...(still ? { staticCatalog: still } : {}) };
}
