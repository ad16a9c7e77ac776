// Settings and keys of search providers.
import { knownChatChannelId } from '../chat-meta.js';
import { coerceSecretRef, normalizeResolvedSecretInputString, normalizeSecretInput, normalizeSecretInputString } from '../secrets.js';
import { isRecord } from '../strings.js';

/** The value of a provider's own section. @param {any} searchConfig @param {string} key @returns {unknown} */
export const getScopedCredentialValue = (searchConfig, key) => (isRecord(searchConfig?.[key]) ? searchConfig[key].apiKey : undefined);
/** The value that all providers share. @param {any} searchConfig @returns {unknown} */
export const getTopLevelCredentialValue = (searchConfig) => searchConfig?.apiKey;
/** Sets the value of a provider's own section. @param {any} searchConfigTarget @param {string} key @param {unknown} value */
export function setScopedCredentialValue(searchConfigTarget, key, value) {
  if (isRecord(searchConfigTarget[key])) searchConfigTarget[key].apiKey = value;
  else searchConfigTarget[key] = { apiKey: value };
}
/** Sets the value that all providers share. @param {any} searchConfigTarget @param {unknown} value */
export function setTopLevelCredentialValue(searchConfigTarget, value) {
  searchConfigTarget.apiKey = value;
}

/** The search settings with those of a plugin in a section. @param {any} searchConfig @param {string} key @param {any} pluginConfig @param {{mirrorApiKeyToTopLevel?: boolean}} [options] @returns {any} */
export function mergeScopedSearchConfig(searchConfig, key, pluginConfig, options) {
  if (!pluginConfig) return searchConfig;
  const merged = { ...searchConfig, [key]: { ...(isRecord(searchConfig?.[key]) ? searchConfig[key] : {}), ...pluginConfig } };
  return options?.mirrorApiKeyToTopLevel && pluginConfig.apiKey !== undefined ? { ...merged, apiKey: pluginConfig.apiKey } : merged;
}

/** The `webSearch` settings of a plugin. @param {any} config @param {string} pluginId @returns {any} */
export function resolveProviderWebSearchPluginConfig(config, pluginId) {
  const own = config?.plugins?.entries?.[pluginId]?.config;
  return isRecord(own) && isRecord(own.webSearch) ? own.webSearch : undefined;
}

/** Sets one of them, and switches a plugin on that nobody switched off. @param {any} configTarget @param {string} pluginId @param {string} key @param {unknown} value */
export function setProviderWebSearchPluginConfigValue(configTarget, pluginId, key, value) {
  const section = (holder, name) => (isRecord(holder[name]) ? holder[name] : (holder[name] = {}));
  const entry = section(section(section(configTarget, 'plugins'), 'entries'), pluginId);
  entry.enabled ??= true;
  section(section(entry, 'config'), 'webSearch')[key] = value;
}

const fromEnv = (names) => names.map((name) => normalizeSecretInput(process.env[name])).find(Boolean);
/** The first of the variables that is set. @param {string[]} envVars @returns {string | undefined} */
export const readProviderEnvValue = (envVars) => fromEnv(envVars);
/** A key that the configuration holds itself. @param {unknown} value @param {string} path @returns {string | undefined} */
export const readConfiguredSecretString = (value, path) => normalizeSecretInput(normalizeResolvedSecretInputString({ value, path })) || undefined;

/** A provider's key: the configured one, the variable that the configuration names, or the provider's own variables. @param {{credentialValue?: unknown, envVars: string[]}} params @returns {string | undefined} */
export function resolveWebSearchProviderCredential({ credentialValue, envVars }) {
  const reference = coerceSecretRef(credentialValue);
  if (reference) return reference.source === 'env' ? fromEnv([reference.id]) : undefined;
  return normalizeSecretInput(normalizeSecretInputString(credentialValue)) || fromEnv(envVars);
}

const switchedOn = (cfg, id) => ({ ...cfg, plugins: { ...cfg.plugins, entries: { ...cfg.plugins?.entries, [id]: { ...cfg.plugins?.entries?.[id], enabled: true } } } });

/** The configuration with a plugin on, unless the owner's lists refuse it. @param {any} cfg @param {string} pluginId @param {{updateChannelConfig?: boolean}} [options] @returns {{config: any, enabled: boolean, pluginId: string, reason?: string}} */
export function enablePluginInConfig(cfg, pluginId, options = {}) {
  const channel = knownChatChannelId(pluginId);
  const id = channel ?? pluginId;
  const { enabled, deny, allow } = cfg.plugins ?? {};
  const named = (list) => list?.includes(pluginId) || list?.includes(id);
  const refused = (reason) => ({ config: cfg, enabled: false, pluginId: id, reason });
  if (enabled === false) return refused('plugins disabled');
  if (named(deny)) return refused('blocked by denylist');
  if (Array.isArray(allow) && allow.length > 0 && !named(allow)) return refused('blocked by allowlist');
  const config = switchedOn(cfg, id);
  if (channel && options.updateChannelConfig !== false) config.channels = { ...cfg.channels, [channel]: { ...(isRecord(cfg.channels?.[channel]) ? cfg.channels[channel] : {}), enabled: true } };
  return { config, enabled: true, pluginId: id };
}

/** The same for the plugin of a chosen provider: it is no channel, and choosing it puts it on the list of allowed ones. @param {any} cfg @param {string} pluginId @returns {{config: any, enabled: boolean, reason?: string}} */
export function enableProviderPluginInConfig(cfg, pluginId) {
  const { enabled, deny, allow } = cfg.plugins ?? {};
  if (enabled === false) return { config: cfg, enabled: false, reason: 'plugins disabled' };
  if (deny?.includes(pluginId)) return { config: cfg, enabled: false, reason: 'blocked by denylist' };
  const config = switchedOn(cfg, pluginId);
  if (Array.isArray(allow) && !allow.includes(pluginId)) config.plugins.allow = [...allow, pluginId];
  return { config, enabled: true };
}

function searchCredential({ type, scopeId }) {
  if (type === 'scoped') return { getCredentialValue: (config) => getScopedCredentialValue(config, scopeId), setCredentialValue: (target, value) => setScopedCredentialValue(target, scopeId, value) };
  if (type === 'top-level') return { getCredentialValue: getTopLevelCredentialValue, setCredentialValue: setTopLevelCredentialValue };
  if (type === 'none') return { getCredentialValue: () => undefined, setCredentialValue: () => {} };
  throw new Error('Unsupported web search credential type');
}

/**
 * Where a provider's key is kept, as fields of its registration.
 * @param {{searchCredential: {type: string, scopeId?: string}, configuredCredential?: {pluginId: string, field?: string}, credentialPath?: string, inactiveSecretPaths?: string[]}} options
 */
export function createWebSearchConfigFields({ searchCredential: search, configuredCredential: own, credentialPath, inactiveSecretPaths }) {
  const field = own?.field ?? 'apiKey';
  return {
    inactiveSecretPaths: inactiveSecretPaths ?? (credentialPath ? [credentialPath] : []),
    ...searchCredential(search),
    ...(own && {
      getConfiguredCredentialValue: (config) => resolveProviderWebSearchPluginConfig(config, own.pluginId)?.[field],
      setConfiguredCredentialValue: (target, value) => setProviderWebSearchPluginConfigValue(target, own.pluginId, field, value),
    }),
  };
}

/** The same with what choosing the provider does. @param {any} options */
export const createWebSearchProviderContractFields = (options) => ({
  ...createWebSearchConfigFields(options),
  ...(options.selectionPluginId && { applySelectionConfig: (config) => enableProviderPluginInConfig(config, options.selectionPluginId).config }),
});

/** An old way to define a provider: the tool tells its plugin to bring its own. @param {any} provider @returns {any} */
export const createPluginBackedWebSearchProvider = (provider) => ({
  ...provider,
  createTool: () => {
    throw new Error(`createPluginBackedWebSearchProvider(${provider.id}) is no longer supported: give the provider its own createTool(...).`);
  },
});
